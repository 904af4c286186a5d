"""Recognises files that are no list of references, and says what they are and what to do."""

import re
from codecs import BOM_UTF8
from typing import Final

from cancellist.jobs.errors import InputError

_UNPACK: Final = "unpack it first"
_EXPORT: Final = "export the list as CSV"
_SHEET: Final = "open it in a spreadsheet program and save the sheet as CSV (File, Save As)"
_LIST: Final = "hand in a list of references"
_FOREIGN: Final = (
    (b"PK\x05\x06", "an empty zip archive", _LIST),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls) or another old Office document", _SHEET),
    (b"\x09\x08\x10\x00\x00\x06\x05\x00", "an Excel workbook (.xls)", _SHEET),
    (b"\x09\x04\x06\x00", "an Excel workbook (.xls)", _SHEET),
    (b"\x1f\x8b", "compressed with gzip twice", "unpack it once"),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", _UNPACK),
    (b"\x1f\x9d", "compressed with compress", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"MSCF", "a cabinet archive", _UNPACK),
    (b"%PDF", "a PDF", "hand in the list it was made from, as CSV or text"),
    (b"%!PS", "a PostScript file", "hand in the list it was made from, as CSV or text"),
    (b"BEGIN:V", "a calendar or a contact", _LIST),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"PAR1", "a Parquet file", _EXPORT),
    (b"ARROW1", "an Arrow file", _EXPORT),
    (b"FEA1", "a Feather file", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"ORC", "an ORC file", _EXPORT),
    (b"SQLite format 3\x00", "a SQLite database", _EXPORT),
    (b"\x00\x01\x00\x00Standard ", "an Access database", _EXPORT),
    (b"\x89PNG", "a picture", _LIST),
    (b"\xff\xd8\xff", "a picture", _LIST),
    (b"GIF8", "a picture", _LIST),
    (b"II*\x00", "a picture", _LIST),
    (b"MM\x00*", "a picture", _LIST),
)
_BINARY_ONLY: Final = frozenset({b"ORC", b"MSCF", b"PAR1", b"BZh", b"FEA1", b"GIF8", b"ARROW1"})
"""Beginnings that a text may also have."""
_ZIPPED: Final = (
    (b"oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)", _SHEET),
    (b"oasis.opendocument", "an OpenDocument file", _EXPORT),
    (b"xl/", "an Excel workbook (.xlsx)", _SHEET),
    (b"word/", "a Word document", "save it as plain text"),
    (b"[Content_Types].xml", "an Excel workbook or another Office document", _SHEET),
    (b"Index/Document.iwa", "a Numbers spreadsheet", _SHEET),
)
_TAR: Final = (b"ustar", 257)
_PAGE: Final = re.compile(r"<(!doctype\s+html|html|head|body|title|meta|script|style|table|div)\b", re.IGNORECASE)
_MARKUP: Final = re.compile(r"<[?!/a-z]", re.IGNORECASE)
_SHEET_XML: Final = (
    "urn:schemas-microsoft-com:office:spreadsheet",
    "excel.sheet",
    "office:excel",
    "office:spreadsheet",
)
_MAIL: Final = re.compile(
    r"(?:return-path|received|delivered-to|mime-version|message-id|from|to|subject|date|content-type)\s*: .*\n"
    r"(?:[ \t].*\n)*[a-z-]+\s*: ",
    re.IGNORECASE,
)
_BLANKS: Final = b" \t\r\n\v\f"
_MARKUP_SEEN: Final = 4096
CONTROLS: Final = bytes(sorted({*range(0x20), 0x7F} - set(b"\t\n\v\f\r\x1a\x1b")))
"""Bytes that a text does not hold."""


def refuse_binary(head: bytes) -> None:
    """Refuses a known binary file by its first bytes, with or without blanks before them.

    Raises:
        InputError: the file is of a known other kind.
    """
    for start in dict.fromkeys((head, head.removeprefix(BOM_UTF8).lstrip(_BLANKS))):
        _refuse_magic(start)


def _refuse_magic(head: bytes) -> None:
    if head.startswith(b"PK\x03\x04"):
        for sign, name, mend in _ZIPPED:
            if sign in head:
                raise _refusal(name, mend)
        raise _refusal("a zip archive", _UNPACK)
    for magic, name, mend in _FOREIGN:
        if head.startswith(magic) and (magic not in _BINARY_ONLY or len(head) != len(head.translate(None, CONTROLS))):
            raise _refusal(name, mend)
    if head.startswith(*_TAR):
        raise _refusal("a tar archive", _UNPACK)


def refuse_text(start: str) -> None:
    """Refuses a text that is no list, by its first characters that are not blank.

    Raises:
        InputError: the text is a web page, XML or a mail, or begins like a file of another kind.
    """
    _refuse_magic(start[:_MARKUP_SEEN].encode("latin-1", "replace"))
    if _MARKUP.match(start):
        seen = start[:_MARKUP_SEEN].lower()
        if any(sign in seen for sign in _SHEET_XML):
            raise _refusal("a spreadsheet saved as XML or as a web page", _SHEET)
        if _PAGE.search(seen):
            raise _refusal("a web page", "was it saved from a log-in page? Export the list as CSV")
        raise _refusal("XML", _EXPORT)
    if _MAIL.match(start):
        raise _refusal("a mail", "save the list that came with it, and hand in that")


def _refusal(name: str, mend: str) -> InputError:
    return InputError(f"the input is {name}, not a list of references: {mend}")
