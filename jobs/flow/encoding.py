"""Packs the parts of a flow's memory as lists of numbers, which versions of one format may lengthen.

packed = the fields in their order, floats to three places
"""

from collections.abc import Sequence
from dataclasses import astuple, fields
from math import isfinite
from typing import Any, TypeVar

from cancellist.jobs.flow.concurrency import ConcurrencyState
from cancellist.jobs.flow.latency import RoundTrips
from cancellist.jobs.flow.random_loss import Losses
from cancellist.jobs.flow.rate.state import Pacing


def numbers(part: ConcurrencyState | RoundTrips | Pacing | Losses) -> list[float | int]:
    """The fields of a part in their order."""
    return [round(value, 3) if isinstance(value, float) else value for value in astuple(part)]


_Part = TypeVar("_Part", ConcurrencyState, RoundTrips, Pacing, Losses)


def restored(kind: type[_Part], values: Sequence[Any]) -> _Part:
    """Makes a part of what `numbers` made of it.

    A later version may have added numbers at the end, which are ignored; an earlier one lacks them, and a part
    begins with what its fields say. A field that no version reads any more keeps its place (`init=False`): what others
    have written there is ignored.

    Raises:
        TypeError: these are no numbers, or not enough of them.
        ValueError: these are not its numbers.
    """
    given = list(zip(fields(kind), values, strict=False))
    if not all(isfinite(value) for _, value in given):
        raise ValueError(f"not the numbers of a {kind.__name__}")
    return kind(*(field.type(value) for field, value in given if field.init and callable(field.type)))
