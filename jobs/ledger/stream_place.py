"""The place of a reader in the results stream, and whether entries are missing between it and what is read next.

Pure: what the server said comes in as arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, Self

NOTHING: Final = "0-0"
"""Stands for no entry, before all."""
Entry = tuple[bytes, Mapping[bytes, bytes]]
"""An entry of the results stream: its id and its fields."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which results may have been written that the file has not. `from_ms` None: since ever."""

    from_ms: int | None
    to_ms: int

    def joined(self, other: "Gap | None") -> "Gap":
        """One that covers both."""
        if other is None:
            return self
        start = None if self.from_ms is None or other.from_ms is None else min(self.from_ms, other.from_ms)
        return Gap(start, max(self.to_ms, other.to_ms))


@dataclass(frozen=True, slots=True)
class Place:
    """How far the stream was read.

    Attributes:
        cursor: the last entry that was read; NOTHING for none.
        read: how many entries were ever added up to there.
        mark: what that entry holds, by which it is known again; empty where that is not known.
        gap: what may be missing before.
    """

    cursor: str = NOTHING
    read: int = 0
    mark: bytes = b""
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """The results stream at one moment.

    Attributes:
        added: how many entries were ever added.
        removed: how many of them are gone.
        first: the oldest entry there is; None where there is none.
        last: the newest entry there ever was.
    """

    added: int
    removed: int
    first: str | None
    last: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Reads what XINFO STREAM answers."""
        first, length = info["first-entry"], int(info["length"])
        added = int(info.get("entries-added", length))
        return cls(added, added - length, first[0].decode() if first else None, info["last-generated-id"].decode())


class PlaceStatus(Enum):
    """How a stream stands to a place in it."""

    FOLLOWS = auto()
    """It is the stream that was read."""
    REPLACED = auto()
    """It is another: what was read of it is to be read again."""


def compare(place: Place, stream: Stream, at_cursor: Entry | None) -> PlaceStatus:
    """Whether a stream is the one that was read.

    Args:
        place: how far it was read.
        stream: as it is now.
        at_cursor: the entry under the id that was read last, if there is one.
    """
    if place.cursor == NOTHING:
        return PlaceStatus.FOLLOWS
    if stream.added < place.read or order(stream.last) < order(place.cursor):
        return PlaceStatus.REPLACED
    if stream.first is not None and order(stream.first) <= order(place.cursor):
        known = at_cursor is not None and (not place.mark or mark(at_cursor) == place.mark)
        return PlaceStatus.FOLLOWS if known or not place.mark else PlaceStatus.REPLACED
    return PlaceStatus.FOLLOWS if stream.removed >= place.read else PlaceStatus.REPLACED


def advanced(place: Place, stream: Stream, entries: Sequence[Entry], *, at_end: bool) -> Place:
    """The place behind these entries, which follow on it. What was trimmed before it was read is a gap.

    Args:
        place: the place before.
        stream: as it was when they were read.
        entries: what follows on it.
        at_end: whether no more followed.
    """
    passed = stream.first is None or order(stream.first) > order(place.cursor)
    lost = max(0, stream.removed - place.read) if passed else 0
    gap = None
    if lost:
        end = entries[0][0].decode() if entries else stream.last
        gap = Gap(order(place.cursor)[0] or None, order(end)[0])
    if entries:
        cursor, sign = entries[-1][0].decode(), mark(entries[-1])
    else:
        cursor, sign = (stream.last, b"") if lost else (place.cursor, place.mark)
    read = stream.added if at_end else place.read + lost + len(entries)
    return moved(place, cursor=cursor, read=read, mark=sign, gap=gap)


def restarted(place: Place, stream: Stream) -> Place:
    """The place before the first entry of another stream under the same name."""
    first = stream.first or stream.last
    at_ms, number = order(first)
    before = f"{at_ms}-{number - 1}" if number else f"{at_ms - 1}-{2**19}" if at_ms else NOTHING
    gap = None
    if order(place.cursor) < order(first):
        gap = Gap(order(place.cursor)[0] or None, at_ms)
    return moved(place, cursor=before, read=stream.removed, mark=b"", gap=gap)


def moved(place: Place, *, cursor: str, read: int, mark: bytes, gap: Gap | None) -> Place:
    """A place further on; a new gap is joined with the one before."""
    return replace(place, cursor=cursor, read=read, mark=mark, gap=gap.joined(place.gap) if gap else place.gap)


def mark(entry: Entry) -> bytes:
    """The part of an entry that tells it from others."""
    return b" ".join(entry[1].get(name, b"") for name in (b"job", b"reference", b"outcome"))


def order(entry: str) -> tuple[int, int]:
    """An entry's id as it sorts."""
    at_ms, _, number = entry.partition("-")
    return int(at_ms), int(number or 0)


def without_gap(place: Place) -> Place:
    """The same place with nothing missing before it."""
    return replace(place, gap=None)
