"""Cancellation jobs. Outside of `ledger` all is pure: standard library only, no I/O, no clock, no randomness."""
