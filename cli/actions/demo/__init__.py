"""What `cancellist demo` does: a file is made up, cancelled, and each result held against the platform's record."""
