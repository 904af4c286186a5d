"""Applies a fault to the items of a list. Pure. It affects random items, or those of the fault's reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cancellist.sandbox.faults.kinds import FaultKind
from cancellist.sandbox.world.references import REFERENCES, spell

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lots:
    """Picks the affected items: those of `reference` if it is given, else random ones."""

    random: Random
    reference: str | None = None

    def some(self, items: list[Item]) -> list[Item]:
        """Picks at least one item, a third or so where there are many."""
        return self._named(items) or self.random.sample(items, -(-len(items) // 3))

    def half(self, items: list[Item]) -> list[Item]:
        """Picks half of the items."""
        return self._named(items) or self.random.sample(items, -(-len(items) // 2))

    def one(self, items: list[Item]) -> Item:
        """Picks one item."""
        return (self._named(items) or [self.random.choice(items)])[0]

    def place(self, items: list[Item]) -> int:
        """Picks a place for one more."""
        return self.random.randrange(len(items) + 1)

    def _named(self, items: list[Item]) -> list[Item]:
        return [item for item in items if self.reference is not None and item["Data"] == self.reference]


def change_items(items: list[Item], kind: FaultKind, lots: Lots) -> list[Item] | None:
    """Returns the items as a fault leaves them; None where it is of another sort. The items given may change."""
    change = _CHANGES.get(kind)
    return change(items, lots) if change is not None else None


def _half_list(items: list[Item], lots: Lots) -> list[Item]:
    missing = [id(item) for item in lots.half(items)]
    return [item for item in items if id(item) not in missing]


def _shuffled(items: list[Item], lots: Lots) -> list[Item]:
    return lots.random.sample(items, len(items))


def _extra_item(items: list[Item], lots: Lots) -> list[Item]:
    extra = items[0] | {"IsSuccess": True, "Data": spell(lots.random.randrange(REFERENCES))}
    items.insert(lots.place(items), extra)
    return items


def _doubled_item(items: list[Item], lots: Lots) -> list[Item]:
    items.insert(lots.place(items), lots.one(items))
    return items


def _contradiction(items: list[Item], lots: Lots) -> list[Item]:
    item = lots.one(items)
    items.insert(lots.place(items), item | {"IsSuccess": not item["IsSuccess"]})
    return items


def _data_other_case(items: list[Item], _: Lots) -> list[Item]:
    return [item | {"Data": str(item["Data"]).lower()} for item in items]


def _data_null(items: list[Item], lots: Lots) -> list[Item]:
    for item in lots.some(items):
        item["Data"] = None
    return items


def _data_mistyped(items: list[Item], lots: Lots) -> list[Item]:
    for item in lots.some(items):
        item["Data"] = lots.random.choice([17, {"Reference": item["Data"]}, [item["Data"]], True])
    return items


def _success_missing(items: list[Item], lots: Lots) -> list[Item]:
    for item in lots.some(items):
        del item["IsSuccess"]
    return items


def _success_mistyped(items: list[Item], lots: Lots) -> list[Item]:
    for item in lots.some(items):
        item["IsSuccess"] = lots.random.choice([None, 1, 0, "true", "false", []])
    return items


_CHANGES: Final[Mapping[FaultKind, Callable[[list[Item], Lots], list[Item]]]] = {
    FaultKind.HALF_LIST: _half_list,
    FaultKind.SHUFFLED: _shuffled,
    FaultKind.EXTRA_ITEM: _extra_item,
    FaultKind.DOUBLED_ITEM: _doubled_item,
    FaultKind.CONTRADICTION: _contradiction,
    FaultKind.DATA_OTHER_CASE: _data_other_case,
    FaultKind.DATA_NULL: _data_null,
    FaultKind.DATA_MISTYPED: _data_mistyped,
    FaultKind.SUCCESS_MISSING: _success_missing,
    FaultKind.SUCCESS_MISTYPED: _success_mistyped,
}
