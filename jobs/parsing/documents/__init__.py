"""Reads a user's file as a stream: CSV, JSON or one reference a line, gzip or plain, detected by its content.

A file is read whole and correctly, or refused whole. Nothing is guessed.
"""

from cancellist.jobs.parsing.documents.format_detection import FORMS, Form
from cancellist.jobs.parsing.documents.hints import Hints
from cancellist.jobs.parsing.documents.reader import Document, Reader, listed, read

__all__ = ["FORMS", "Document", "Form", "Hints", "Reader", "listed", "read"]
