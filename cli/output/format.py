"""How results are written, by name: apart from what writes them, which only `cancellist results` needs."""

from enum import StrEnum


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
