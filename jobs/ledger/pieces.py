"""The stored form of pieces; `lua/shared/pieces.lua` reads and writes the same."""

import orjson

from cancellist.jobs.model import Piece

NEWLINE = "\n"
_CONFIRMED = 2


def unpack_piece(packed: bytes) -> Piece:
    """Reads a piece: a header line, then one reference a line."""
    head, _, body = packed.partition(b"\n")
    references = tuple(body.decode().split("\n"))
    if head[:1] != b"{":
        return Piece(references)
    h = orjson.loads(head)
    return Piece(
        references,
        attempts=int(h["a"]),
        named=int(h["n"]),
        unclear_until_ms=int(h["m"]),
        reads=int(h.get("r") or 0),
        refusal_status=int(h["s"]) if h.get("s") is not None else None,
        refusal_words=h.get("w"),
        unanswered=int(h.get("o") or 0),
        alone=int(h.get("t") or 0),
        reads_alone=int(h.get("x") or 0),
        called_ms=int(h.get("l") or 0),
        deallocated=bool(h.get("d")),
        read_back=bool(h.get("e")),
        confirmed=h.get("e") == _CONFIRMED,
    )


def pack_fresh(chunk: str) -> str:
    """A chunk as a piece without a history."""
    return f"1 {chunk.count(NEWLINE) + 1}\n{chunk}"
