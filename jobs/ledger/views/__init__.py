"""What is read, in the forms that users get it: JSON, JSON lines, CSV, Parquet."""
