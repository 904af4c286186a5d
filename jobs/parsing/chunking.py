"""Chunks: the stored form of references, joined by newlines, about as many in each as a call names."""

from collections.abc import Sequence
from typing import Final

CHUNK_SIZE: Final = 100
"""References in a full chunk."""


class Chunker:
    """Packs a stream of references into chunks of exactly `size`; the last may be smaller. Feed, then flush.

    Raises:
        ValueError: `size` is below 1.
    """

    def __init__(self, size: int = CHUNK_SIZE) -> None:
        if size < 1:
            raise ValueError(f"a chunk holds at least one reference, not {size}")
        self._size = size
        self._held: list[str] = []

    def feed(self, references: Sequence[str]) -> list[str]:
        """Takes references; returns the chunks that are full."""
        held = [*self._held, *references]
        full = len(held) - len(held) % self._size
        self._held = held[full:]
        return pack(held[:full], self._size)

    def flush(self) -> list[str]:
        """Returns the rest as one last chunk, or nothing; the chunker can be used again."""
        held, self._held = self._held, []
        return pack(held, self._size)


def pack(references: Sequence[str], size: int = CHUNK_SIZE) -> list[str]:
    """Joins references into chunks of `size` and a smaller last one. No reference may hold a newline."""
    return ["\n".join(references[start : start + size]) for start in range(0, len(references), size)]


def unpack(chunk: str) -> list[str]:
    """The references of a chunk, in order."""
    return chunk.split("\n") if chunk else []
