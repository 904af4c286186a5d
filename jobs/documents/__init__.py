"""A user's file, read as a stream: CSV, a JSON array, JSON lines or one reference a line, told apart by content."""

from jobs.documents.reader import Document, Reader, read
from jobs.documents.sniffing import Form

__all__ = ["Document", "Form", "Reader", "read"]
