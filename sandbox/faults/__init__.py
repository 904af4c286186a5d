"""Faults on request: their kinds, when they strike, and what they do to an answer."""
