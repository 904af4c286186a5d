"""Names of the output formats. They are apart from the writers, which are slow to import."""

from enum import StrEnum


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
