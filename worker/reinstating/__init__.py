"""Reinstating: new consignments are created from snapshots, each at most once."""
