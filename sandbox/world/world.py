"""The consignments of a sandbox: computed from (seed, index). Only changes are stored."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from cancellist.sandbox.answers.words import Refusal
from cancellist.sandbox.world import documents
from cancellist.sandbox.world.consignments import (
    OPEN,
    Mix,
    Rules,
    State,
    Why,
    initial_state,
    refuse_cancelling,
    refuse_deallocating,
    refuse_setting_back,
)
from cancellist.sandbox.world.record import Record
from cancellist.sandbox.world.references import index_of, reference

SLICE: Final = 512
"""How many consignments are processed before other calls get their turn."""

Named = tuple[str, int | None]
"""A reference in upper case and its index, None where the platform does not know it."""


class Created(NamedTuple):
    """A consignment made by a call: what the call gave and when."""

    document: Mapping[str, object]
    at: datetime


class World:
    """Consignments by index: first the seeded ones, then those that calls created."""

    def __init__(self, seed: int, consignments: int, mix: Mix) -> None:
        self.seed = seed
        self.mix = mix
        self.seeded = consignments
        self.record = Record()
        self.created: list[Created] = []
        self.unknown: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many consignments there are."""
        return self.seeded + len(self.created)

    def find(self, text: str) -> int | None:
        """Returns the index of a reference, in any case of letters; None where the platform does not know it."""
        index = index_of(self.seed, text)
        return index if index is not None and index < self.count else None

    def reference(self, index: int) -> str:
        """Returns the reference of the consignment at an index."""
        return reference(self.seed, index)

    def initial(self, index: int) -> State:
        """Returns the state a consignment began in; a created one begins unallocated."""
        return initial_state(self.seed, index, self.mix) if index < self.seeded else State.UNALLOCATED

    def state(self, index: int) -> State:
        """Returns the state a consignment is in."""
        return self.record.state(index) or self.initial(index)

    def examples(self, count: int) -> list[str]:
        """Returns the first few references that can be cancelled; fewer where they are rare."""
        indexes = (index for index in range(min(self.count, SLICE)) if self.state(index) in OPEN)
        return [self.reference(index) for index in islice(indexes, count)]

    def created_by_call(self, index: int) -> Created | None:
        """Returns what Create Consignment was given; None for a seeded one."""
        return self.created[index - self.seeded] if index >= self.seeded else None

    def create(self, document: Mapping[str, object], at: datetime) -> int:
        """Adds a consignment and returns its index."""
        self.created.append(Created(document, at))
        return self.count - 1

    def state_at(self, index: int, at: float | None) -> State:
        """Returns the state a consignment was in at a time past; the one it is in where no time is given."""
        return self.state(index) if at is None else self.record.state_before(index, at) or self.initial(index)

    def document(self, index: int, at: float | None = None) -> dict[str, object]:
        """Returns the whole record of a consignment, in the state it was in at a time past."""
        state, created = self.state_at(index, at), self.created_by_call(index)
        if created is None:
            return documents.seeded(self.seed, index, state)
        return documents.created(self.seed, index, state, created.document, created.at)

    def resolve(self, text: str) -> Named:
        """Returns a reference as a call names it."""
        return text.upper(), self.find(text)

    def name(self, named: AbstractSet[Named]) -> None:
        """Notes that a cancel call named these references."""
        for text, index in named:
            if index is None:
                self.unknown[text] += 1
            else:
                self.record.name(index)

    def cancel(self, named: Named, call: int, rules: Rules, at: float) -> Refusal | None:
        """Cancels a consignment; returns why it was refused, None where it was cancelled."""
        index, refusal = self._allowed(named, partial(refuse_cancelling, rules=rules))
        if index is not None:
            self.record.cancel(index, call, at)
        return refusal

    def deallocate(self, named: Named, at: float) -> Refusal | None:
        """Deallocates a consignment; returns why it was refused, None where it was done."""
        index, refusal = self._allowed(named, refuse_deallocating)
        if index is not None:
            self.record.change(index, State.UNALLOCATED, at)
        return refusal

    def set_back(self, named: Named, at: float) -> Refusal | None:
        """Sets a consignment that is ready to ship back to allocated; returns why not, None where it was done."""
        index, refusal = self._allowed(named, refuse_setting_back)
        if index is not None:
            self.record.change(index, State.ALLOCATED, at)
        return refusal

    def _allowed(self, named: Named, refuse: Callable[[State], Why | None]) -> tuple[int | None, Refusal | None]:
        """Returns the index of a consignment that may be changed so, or else why it may not."""
        text, index = named
        if index is None:
            return None, Refusal(text, Why.UNKNOWN)
        state = self.state(index)
        why = refuse(state)
        return (index, None) if why is None else (None, Refusal(text, why, state))

    def row(self, text: str) -> dict[str, object]:
        """Returns what really happened to a reference; its states are None where the platform does not know it."""
        index = self.find(text)
        return self._row_at(index) if index is not None else _unknown_row(text.upper(), self.unknown[text.upper()])

    def rows(self) -> Iterator[list[dict[str, object]]]:
        """Yields, in slices, a row for each reference that a cancel call named or whose state changed."""
        part: list[dict[str, object]] = []
        for index in self.record.touched():
            part.append(self._row_at(index))
            if len(part) == SLICE:
                yield part
                part = []
        yield part + [_unknown_row(text, calls) for text, calls in list(self.unknown.items())]

    def _row_at(self, index: int) -> dict[str, object]:
        entry = self.record.entry(index)
        initial = self.initial(index)
        return {
            "reference": self.reference(index),
            "state": entry.state or initial,
            "initial_state": initial,
            "changed_at": entry.changed_at,
            "cancelled_by_call": entry.cancelled_by_call,
            "cancel_calls": entry.cancel_calls,
        }


def _unknown_row(text: str, calls: int) -> dict[str, object]:
    return {
        "reference": text,
        "state": None,
        "initial_state": None,
        "changed_at": None,
        "cancelled_by_call": None,
        "cancel_calls": calls,
    }
