"""Reads the answer of Get Consignment: what a record shows of its state, and of who gets what.

A state counts only where the record surely is that of the reference, and fresh. Whatever else came is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import Answer, Failure, of_platform
from cancellist.jobs.responses.answer_forms import field, letters
from cancellist.jobs.responses.status_read import StateClass, state_class
from cancellist.jobs.times import parse_when_ms

SOON_MS: Final = 3_600_000
"""A consignment that is collected, shipped or manifested within this time is near manifesting."""
_OLDEST_S: Final = 60.0
_NEXT: Final = frozenset({"readytoship", "manifesting", "manifestfailed"})
"""States that manifesting follows on, by letters. Source: the platform's public guide, 'States'."""
_CANCELLING: Final = "cancelling"
_TIMES: Final = ("CollectionDate", "ManifestDate", "ShippingDate")
_MIDNIGHT: Final = "T00:00:00"
"""A date without a time of day: it says nothing of the next hour."""
_LONGEST: Final = 40
_MOST_GOODS: Final = 3


class Standing(StrEnum):
    """What a state means for a cancellation."""

    OPEN = "open"
    ALREADY_CANCELLED = "already_cancelled"
    MANIFESTED = "manifested"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


_OF_CLASS: Final = {
    StateClass.OPEN: Standing.OPEN,
    StateClass.PASSING: Standing.OPEN,
    StateClass.CANCELLED: Standing.ALREADY_CANCELLED,
    StateClass.MANIFESTED: Standing.MANIFESTED,
    StateClass.STRANGE: Standing.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one reference. Texts of the platform are escaped and cut.

    Attributes:
        state: the platform's word for it; None where none was read.
        near: whether it is open and near manifesting.
        name: who gets it.
        town: where they are.
        goods: what is sent, by its packages' descriptions, or by those of their items.
        ships: when it is to be shipped, as the platform writes it.
        why: why its state is unknown; None where it is known.
    """

    reference: str
    standing: Standing
    state: str | None = None
    near: bool = False
    name: str | None = None
    town: str | None = None
    goods: str | None = None
    ships: str | None = None
    why: str | None = None


def judge_record(reference: str, answer: Answer | Failure, now_ms: int) -> Seen:
    """Judges one answer.

    Args:
        reference: the reference that was asked for, in upper case.
        answer: what came back, on a connection that carried no other request.
        now_ms: the present time, Unix milliseconds.
    """
    match answer:
        case Failure(reason=reason):
            return _unknown(reference, reason)
        case Answer(age_s=age_s) if age_s > _OLDEST_S:
            return _unknown(reference, f"the answer is {age_s:.0f} s old")
        case Answer(status=404, body=body) if of_platform(body):
            return Seen(reference, Standing.NOT_FOUND)
        case Answer(status=200, body=dict() as body):
            return _of_record(reference, body, now_ms)
        case Answer(status=200):
            return _unknown(reference, "the answer is no record")
        case Answer(status=status):
            return _unknown(reference, f"HTTP {status}")


def _unknown(reference: str, why: str) -> Seen:
    return Seen(reference, Standing.UNKNOWN, why=shown(why))


def _of_record(reference: str, record: Mapping[str, object], now_ms: int) -> Seen:
    named, state = field(record, "Reference"), field(record, "ConsignmentState")
    if not isinstance(named, str):
        return _unknown(reference, "the answer does not say whose record it is")
    if normalise(named) != reference:
        return _unknown(reference, "the answer is about another reference")
    if not isinstance(state, str) or not state.strip():
        return _unknown(reference, "the record has no state")
    standing = standing_of(state)
    name, town = _receiver(record)
    near = standing is Standing.OPEN and (letters(state) in _NEXT or _is_soon(record, now_ms))
    why = f"it is {_cut(state)}" if standing is Standing.UNKNOWN else None
    return Seen(
        reference, standing, _cut(state), near, name, town, _goods(record), _text(field(record, "ShippingDate")), why
    )


def standing_of(state: str) -> Standing:
    """What one of the platform's words for a state means."""
    if letters(state) == _CANCELLING:  # it may still go either way
        return Standing.UNKNOWN
    return _OF_CLASS[state_class(state)]


def _is_soon(record: Mapping[str, object], now_ms: int) -> bool:
    """Whether a time of day in the record lies within the next hour."""
    for name in _TIMES:
        value = field(record, name)
        if isinstance(value, str) and _MIDNIGHT not in value:
            try:
                at_ms = parse_when_ms(value, now_ms=now_ms)
            except ValueError:
                continue
            if now_ms <= at_ms <= now_ms + SOON_MS:
                return True
    return False


def _receiver(record: Mapping[str, object]) -> tuple[str | None, str | None]:
    """The name and the town of the one destination; nothing where it is not known which it is."""
    goes_to = [one for one in _objects(record, "Addresses") if str(field(one, "AddressType")).lower() == "destination"]
    if len(goes_to) != 1:
        return None, None
    return _name(field(goes_to[0], "Contact")), _text(field(goes_to[0], "Town"))


def _goods(record: Mapping[str, object]) -> str | None:
    found = dict.fromkeys(
        words for package in _objects(record, "Packages") for words in _described([package], _objects(package, "Items"))
    )
    named, more = list(found)[:_MOST_GOODS], len(found) - _MOST_GOODS
    return _text(", ".join(named) + (f" and {more} more" if more > 0 else ""))


def _described(*first_to_last: Sequence[Mapping[str, object]]) -> list[str]:
    """The descriptions of the first of these that have any."""
    each = (_strings([field(one, "Description") for one in some]) for some in first_to_last)
    return next(filter(None, each), [])


def _objects(record: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = field(record, name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _name(contact: object) -> str | None:
    if not isinstance(contact, dict):
        return _text(contact)
    parts = [field(contact, name) for name in ("FirstName", "LastName")]
    return _text(" ".join(_strings(parts))) or _text(field(contact, "Name"))


def _strings(values: Sequence[object]) -> list[str]:
    return [value.strip() for value in values if isinstance(value, str) and value.strip()]


def _text(value: object) -> str | None:
    return _cut(value) if isinstance(value, str) and value.strip() else None


def _cut(text: str) -> str:
    safe = shown(" ".join(text.split()))
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"
