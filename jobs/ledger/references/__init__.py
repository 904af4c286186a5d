"""Which jobs named a reference, and what became of it."""
