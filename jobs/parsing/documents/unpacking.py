"""Unpacks gzip piece by piece, so that memory is bounded however large the content is."""

import zlib
from collections.abc import Iterator
from typing import Final

from cancellist.jobs.errors import InputError

MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 31
"""zlib's number for gzip with its largest window."""
_PIECE_BYTES: Final = 128 * 1024


class Unpacker:
    """Gives the bytes of a document, unpacked if it is gzip; its members follow one another.

    Attributes:
        packed: whether the document is gzip; None before two bytes were seen.
    """

    def __init__(self) -> None:
        self.packed: bool | None = None
        self._head = b""
        self._member: zlib._Decompress | None = None
        self._members = 0

    def feed(self, block: bytes, *, final: bool = False) -> Iterator[bytes]:
        """Takes the next block; yields its content in pieces.

        Raises:
            InputError: the gzip is damaged or incomplete.
        """
        block, self._head = self._head + block, b""
        if self.packed is None and len(block) < len(MAGIC) and not final:
            self._head = block
            return
        if self.packed is None:
            self.packed = block.startswith(MAGIC)
        if not self.packed:
            yield block
            return
        yield from self._members_of(block, final=final)

    def _members_of(self, block: bytes, *, final: bool) -> Iterator[bytes]:
        while block:
            if self._member is None:
                # Some tools fill up their output with zeros.
                block = block.lstrip(b"\0") if self._members else block
                if len(block) < len(MAGIC) and not final:
                    self._head = block
                    return
                if not block:
                    break
                if not block.startswith(MAGIC):
                    raise InputError("something follows the gzip: is the input damaged? Unpack it first")
                self._member = zlib.decompressobj(_GZIP)
                self._members += 1
            try:
                piece = self._member.decompress(block, _PIECE_BYTES)
            except zlib.error as error:
                raise InputError(f"the gzip is damaged ({error}); is the input whole?") from None
            block = self._member.unconsumed_tail
            if piece:
                yield piece
            if self._member.eof:
                block, self._member = self._member.unused_data, None
        if final and self._member is not None:
            raise InputError("the gzip breaks off; is the input whole?")
