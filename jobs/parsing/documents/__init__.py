"""A user's file, read as a stream: CSV, JSON or one reference a line, gzip or plain, told apart by content.

It is read whole and right, or refused whole: nothing is guessed.
"""

from cancellist.jobs.parsing.documents.format_detection import FORMS, Form
from cancellist.jobs.parsing.documents.hints import Hints
from cancellist.jobs.parsing.documents.reader import Document, Reader, listed, read

__all__ = ["FORMS", "Document", "Form", "Hints", "Reader", "listed", "read"]
