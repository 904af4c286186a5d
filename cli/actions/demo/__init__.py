"""What `cancellist demo` does: it cancels a generated file and compares each result with the platform's record."""
