"""Filters of a search for consignments: `NAME=VALUE`, read strictly.

A platform may ignore a filter that it does not know, and would then answer with every consignment there is. So only the
names and words that its guide has are accepted. Source: the platform's public guide, Get Consignments References.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.responses.status_read import KNOWN_STATES, StateClass, state_class
from cancellist.jobs.times import parse_when_ms

STATE: Final = "State"
_LONGEST: Final = 200
_WORDS: Final = {"Direction": ("Inbound", "Outbound"), "LabelsPrinted": ("true", "false")}
_TEXTS: Final = (
    "Reference", "ReferenceProvidedByCustomer", "TrackingReference", "CarrierService", "Source", "PostCode",
    "ShippingLocationReference", "DestinationRegion",
)  # fmt: skip
_COUNTRY: Final = "DestinationCountryCode"
TIMES: Final = ("CreatedDate", "ShippedDate", "RequestedDeliveryDate", "ScheduledDeliveryDate")
NUMBERS: Final = ("Value", "WeightInGrams")
_ENDS: Final = ("From", "To")
NAMES: Final = (
    STATE, *_WORDS, *_TEXTS, _COUNTRY, *(stem + end for stem in (*TIMES, *NUMBERS) for end in _ENDS),
)  # fmt: skip
_TOO_LATE: Final = {
    StateClass.CANCELLED: "it is cancelled already",
    StateClass.PASSING: "it passes by itself: wait for the state after it",
    StateClass.MANIFESTED: "the platform cancels only before manifesting",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, its name and value as the platform knows them."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={shown(self.value)}"

    @property
    def bound(self) -> tuple[str, str] | None:
        """The measure and the end, `From` or `To`, where it bounds one; else None."""
        for end in _ENDS:
            stem = self.name.removesuffix(end)
            if stem != self.name and stem in (*TIMES, *NUMBERS):
                return stem, end
        return None

    @property
    def number(self) -> float:
        """The value of a bound, as a number: of a time the Unix milliseconds."""
        stem = self.bound[0] if self.bound else ""
        return float(parse_when_ms(self.value, now_ms=0)) if stem in TIMES else float(self.value)


def parse_filters(texts: Sequence[str]) -> tuple[Filter, ...]:
    """Reads filters as a user wrote them. Names and words may be in any case of letters.

    Raises:
        InputError: one is malformed, unknown or repeated, has a value that is none, or could not be met.
    """
    found = tuple(_parsed(text) for text in texts)
    if not found:
        raise InputError("there is no filter: give at least one, such as State=Allocated")
    names = [one.name for one in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"the filter {repeated[0]} is given twice: give each once, since it is not known which counts")
    bounds = {one.bound: one for one in found if one.bound}
    for stem in (*TIMES, *NUMBERS):
        low, high = bounds.get((stem, "From")), bounds.get((stem, "To"))
        if low and high and low.number > high.number:
            raise InputError(f"{low} is after {high}: nothing could match")
    return found


def _parsed(text: str) -> Filter:
    given, equals, value = text.partition("=")
    name = next((known for known in NAMES if known.lower() == given.strip().lower()), None)
    if not equals:
        raise InputError(f"'{shown(text)}' is no filter: write it as NAME=VALUE, such as State=Allocated")
    if name is None:
        raise InputError(f"there is no filter '{shown(given)}'; there are: {', '.join(NAMES)}")
    value = value.strip()
    if not value:
        raise InputError(f"the filter {name} has no value: write it as {name}=VALUE")
    if len(value) > _LONGEST or not value.isprintable():
        raise InputError(f"the value of {name} is longer than {_LONGEST} characters, or holds one that cannot be seen")
    return Filter(name, _value(name, value))


def _value(name: str, value: str) -> str:
    if name == STATE:
        return _state(value)
    if name in _WORDS:
        return _word(name, value, _WORDS[name])
    if name == _COUNTRY:
        if not re.fullmatch("[A-Za-z]{2}", value):
            raise InputError(f"'{shown(value)}' is no value of {name}: write two letters, such as GB")
        return value.upper()
    stem = name.removesuffix("From").removesuffix("To")
    check = {**dict.fromkeys(TIMES, _time), **dict.fromkeys(NUMBERS, _number)}.get(stem)
    return check(name, value) if check else value


def _state(value: str) -> str:
    state = _word(STATE, value, KNOWN_STATES)
    if why := _TOO_LATE.get(state_class(state)):
        open_ones = [one for one in KNOWN_STATES if state_class(one) is StateClass.OPEN]
        raise InputError(f"consignments in {state} are not cancelled, since {why}; choose from {', '.join(open_ones)}")
    return state


def _word(name: str, value: str, words: Sequence[str]) -> str:
    for word in words:
        if word.lower() == value.lower():
            return word
    raise InputError(f"'{shown(value)}' is no value of {name}; there are: {', '.join(words)}")


def _time(name: str, value: str) -> str:
    if value.startswith("+"):
        raise InputError(f"'{shown(value)}' is no value of {name}: write a time such as 2026-08-01T00:00:00Z")
    try:
        parse_when_ms(value, now_ms=0)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    return value


def _number(name: str, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (value.isascii() and 0 <= number < math.inf):
        raise InputError(f"'{shown(value)}' is no value of {name}: write a number of at least 0")
    return value
