"""From inputs to a job: read, without duplicates, sealed as a whole."""
