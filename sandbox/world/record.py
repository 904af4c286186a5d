"""The record of what really happened to consignments. Only changed or named ones take memory, 18 bytes each."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cancellist.sandbox.world.consignments import STATES, State

_PAGE: Final = 256
_ITEM_BYTES: Final = array("I").itemsize
_CODE: Final = {state: code for code, state in enumerate(STATES, start=1)}


def _zeros() -> "array[int]":
    return array("I", bytes(_PAGE * _ITEM_BYTES))


@dataclass(slots=True)
class _Page:
    """The consignments of 256 neighbouring indexes; 0 says unchanged, not cancelled by a call, never named."""

    states: bytearray = field(default_factory=lambda: bytearray(_PAGE))
    before: bytearray = field(default_factory=lambda: bytearray(_PAGE))
    changed_at: "array[float]" = field(default_factory=lambda: array("d", bytes(_PAGE * 8)))
    cancelled_by: "array[int]" = field(default_factory=_zeros)
    named: "array[int]" = field(default_factory=_zeros)


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened to one consignment: where it changed its state and when, who cancelled it, how many named it."""

    state: State | None = None
    changed_at: float | None = None
    cancelled_by_call: int | None = None
    cancel_calls: int = 0


class Record:
    """Changes and calls by index, in pages that are made when they are first needed."""

    def __init__(self) -> None:
        self._pages: dict[int, _Page] = {}

    def _page(self, index: int) -> _Page:
        number = index // _PAGE
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = _Page()
        return page

    def state(self, index: int) -> State | None:
        """Returns the state a consignment changed to; None where it is as it began."""
        page = self._pages.get(index // _PAGE)
        code = page.states[index % _PAGE] if page else 0
        return STATES[code - 1] if code else None

    def state_before(self, index: int, at: float) -> State | None:
        """Returns the state a consignment had changed to at a time past; None where it was as it began.

        Only the last change is kept. After two changes since that time, this returns the state between them.
        """
        page, place = self._pages.get(index // _PAGE), index % _PAGE
        if page is None:
            return None
        code = page.states[place] if page.changed_at[place] <= at else page.before[place]
        return STATES[code - 1] if code else None

    def change(self, index: int, state: State, at: float) -> None:
        """Notes a new state, and when it came."""
        page, place = self._page(index), index % _PAGE
        page.before[place] = page.states[place]
        page.states[place] = _CODE[state]
        page.changed_at[place] = at

    def cancel(self, index: int, call: int, at: float) -> None:
        """Notes that a call cancelled a consignment, and when."""
        self.change(index, State.CANCELLED, at)
        self._page(index).cancelled_by[index % _PAGE] = call

    def name(self, index: int) -> None:
        """Notes that one more cancel call named a consignment."""
        self._page(index).named[index % _PAGE] += 1

    def entry(self, index: int) -> Entry:
        """Returns what happened to one consignment."""
        page, place = self._pages.get(index // _PAGE), index % _PAGE
        if page is None:
            return Entry()
        changed_at = page.changed_at[place] if page.states[place] else None
        return Entry(self.state(index), changed_at, page.cancelled_by[place] or None, page.named[place])

    def touched(self) -> Iterator[int]:
        """Yields the indexes that a cancel call named or whose state changed, in order; it may grow meanwhile."""
        for number in sorted(self._pages):
            page = self._pages[number]
            for place in range(_PAGE):
                if page.named[place] or page.states[place]:
                    yield number * _PAGE + place
