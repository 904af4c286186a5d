"""What becomes of jobs as it happens, as server-sent events."""
