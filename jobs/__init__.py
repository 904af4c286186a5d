"""What a cancellation job is: pure modules, no I/O, no clock, no randomness, nothing but the standard library."""
