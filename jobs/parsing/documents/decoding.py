r"""Decodes bytes to text: detects the encoding, and ends all lines with `\n`."""

import codecs
import io
import re
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents.foreign_formats import CONTROLS, refuse_binary

_MARKS: Final = (
    # UTF-32's mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_SHARE: Final = 0.02
_WIDE_SHARE: Final = 0.5
_STRAY_SHARE: Final = 0.1
# DOS files end with ^Z, may be filled up with it, and may have blanks behind it that editors added.
_DOS_END: Final = re.compile(r"\x1a[\x1a \t\n]*\Z")
_LONGEST_END: Final = 4096


class Decoder:
    """Decodes the pieces of one document, in order.

    The first piece, `head`, decides the encoding; it must be decoded afterwards too. If a piece turns out not to be
    UTF-8, the rest is read as Windows-1252 if all before was ASCII, since spreadsheets on Windows write it; else broken
    characters are replaced. Neither can turn another text into a reference, since references are ASCII.

    Attributes:
        encoding: Python's name of the encoding.
        warning: a note for the user; empty where there is none.

    Raises:
        InputError: the document is no text.
    """

    def __init__(self, head: bytes) -> None:
        self.encoding, self._mark = _identify(head)
        self.warning = ""
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._ascii = True
        self._held = ""

    def decode(self, piece: bytes, *, final: bool) -> str:
        r"""Decodes the next piece; returns the whole text so far, with `\n` at each line's end.

        Raises:
            InputError: the document is no text.
        """
        piece, self._mark = piece[self._mark :], 0
        try:
            text = self._decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            text = self._decode_otherwise(error, final=final)
        if "\0" in text:
            raise InputError("the input holds NUL bytes: it is not text, or damaged; hand in a text file")
        self._ascii = self._ascii and text.isascii()
        return self._without_end(self._newlines.decode(text, final), final=final)

    def _without_end(self, text: str, *, final: bool) -> str:
        """Holds back a ^Z that may end the document, and drops it at the end."""
        text, self._held = self._held + text, ""
        if "\x1a" in text and (found := _DOS_END.search(text)) and len(found[0]) <= _LONGEST_END:
            text, self._held = text[: found.start()], "" if final else found[0]
        return text

    def _decode_otherwise(self, error: UnicodeDecodeError, *, final: bool) -> str:
        if self.encoding != "utf-8":
            raise InputError(
                f"the input is damaged: it is not valid {self.encoding}; hand in the whole file"
            ) from error
        good = error.object[: error.start].decode()
        if self._ascii and good.isascii():
            self.encoding = "cp1252"
            self.warning = "the input is not UTF-8; it was read as Windows-1252"
        else:
            self.warning = "some characters of the input are not UTF-8; they were replaced"
        self._decoder = codecs.getincrementaldecoder(self.encoding)(errors="replace")
        return good + self._decoder.decode(error.object[error.start :], final)


def _identify(head: bytes) -> tuple[str, int]:
    """The encoding and the length of its byte order mark; refuses what is no text."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            if encoding == "utf-8":
                refuse_binary(head)
            return encoding, len(mark)
    refuse_binary(head)
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > half * _WIDE_SHARE and even <= half * _STRAY_SHARE:
        return "utf-16-le", 0
    if even > half * _WIDE_SHARE and odd <= half * _STRAY_SHARE:
        return "utf-16-be", 0
    controls = len(head) - len(head.translate(None, CONTROLS))
    if even or odd or controls > len(head) * _BINARY_SHARE:
        raise InputError("the input is not text: hand in CSV, JSON, or one reference a line")
    return "utf-8", 0
