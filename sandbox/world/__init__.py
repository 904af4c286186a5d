"""The consignments of a sandbox: their states, records and searches."""
