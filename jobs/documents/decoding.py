r"""Bytes to text: which encoding it is, and lines that all end in `\n`."""

import codecs
import io
from typing import Final

from jobs.errors import InputError

_MARKS: Final = (
    # UTF-32's mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNPACK: Final = "unpack it first"
_EXPORT: Final = "export it as CSV"
_FOREIGN: Final = (
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", "hand in a list of references"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook or another old Office document", _EXPORT),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"%PDF-", "a PDF", "hand in the list it was made from"),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"PAR1", "a Parquet file", _EXPORT),
    (b"SQLite format 3\x00", "a SQLite database", _EXPORT),
    (b"\x89PNG", "a picture", "hand in a list of references"),
    (b"\xff\xd8\xff", "a picture", "hand in a list of references"),
)
_MARKUP: Final = ((b"<!doctype html", "a web page"), (b"<html", "a web page"), (b"<?xml", "XML"))
_CONTROLS: Final = bytes(sorted({*range(0x20), 0x7F} - set(b"\t\n\v\f\r\x1a\x1b")))
_BINARY_SHARE: Final = 0.02
_WIDE_SHARE: Final = 0.5
_STRAY_SHARE: Final = 0.1


class Decoder:
    """Decodes the pieces of one document, in order.

    Its encoding is settled by `head`, the first piece, which is yet to be decoded. What then turns out not to be
    UTF-8 is read as Windows-1252 where all before was ASCII, as spreadsheets on Windows write it; else what is
    broken is replaced. Neither can make a reference of what is none, since references are ASCII.

    Attributes:
        encoding: the name that Python has for it.
        warning: what the user should know of it, or nothing.

    Raises:
        InputError: it is not text.
    """

    def __init__(self, head: bytes) -> None:
        self.encoding, self._mark = _identify(head)
        self.warning = ""
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._ascii = True

    def decode(self, piece: bytes, *, final: bool) -> str:
        r"""Give the text that is whole so far, each line's end a `\n`.

        Raises:
            InputError: it is not text.
        """
        piece, self._mark = piece[self._mark :], 0
        try:
            text = self._decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            text = self._decode_otherwise(error, final=final)
        if "\0" in text:
            raise InputError("the input holds NUL bytes: it is not text, or damaged; hand in a text file")
        self._ascii = self._ascii and text.isascii()
        return self._newlines.decode(text, final)

    def _decode_otherwise(self, error: UnicodeDecodeError, *, final: bool) -> str:
        if self.encoding != "utf-8":
            raise InputError(f"the input is not whole: it breaks its encoding, {self.encoding}") from error
        good = error.object[: error.start].decode()
        if self._ascii and good.isascii():
            self.encoding = "cp1252"
            self.warning = "the input is not UTF-8; it was read as Windows-1252"
        else:
            self.warning = "some characters of the input are not UTF-8; they were replaced"
        self._decoder = codecs.getincrementaldecoder(self.encoding)(errors="replace")
        return good + self._decoder.decode(error.object[error.start :], final)


def _identify(head: bytes) -> tuple[str, int]:
    """Give the encoding and the length of its mark; refuse what is not text and say what it is."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    _refuse_foreign(head)
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > half * _WIDE_SHARE and even <= half * _STRAY_SHARE:
        return "utf-16-le", 0
    if even > half * _WIDE_SHARE and odd <= half * _STRAY_SHARE:
        return "utf-16-be", 0
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if even or odd or controls > len(head) * _BINARY_SHARE:
        raise InputError("the input is not text: hand in CSV, JSON, or one reference a line")
    return "utf-8", 0


def _refuse_foreign(head: bytes) -> None:
    if head.startswith(b"PK\x03\x04") and (b"xl/" in head or b"[Content_Types].xml" in head):
        raise InputError("the input is an Excel workbook or another Office document: export it as CSV")
    for magic, name, mend in _FOREIGN:
        if head.startswith(magic):
            raise InputError(f"the input is {name}: {mend}")
    start = head[:256].lstrip().lower()
    for magic, name in _MARKUP:
        if start.startswith(magic):
            raise InputError(f"the input is {name}, not a list of references: was it saved from a log-in page?")
