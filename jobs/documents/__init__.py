"""A user's file, read as a stream: CSV, JSON or one reference a line, gzip or plain, told apart by content.

It is read whole and right, or refused whole: nothing is guessed.
"""

from jobs.documents.hints import Hints
from jobs.documents.reader import Document, Reader, listed, read
from jobs.documents.sniffing import Form

__all__ = ["Document", "Form", "Hints", "Reader", "listed", "read"]
