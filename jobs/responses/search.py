"""Judges the answer of Get Consignments References, and whether a consignment's record matches the filters.

Everything found is going to be cancelled. So an answer counts only where all of it is understood, and a record matches
only where it shows that it does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import compress

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import CLIENT_ERRORS, Answer, Failure, of_platform, words_of
from cancellist.jobs.responses.answer_forms import field, letters
from cancellist.jobs.responses.search_filters import STATE, TIMES, Filter
from cancellist.jobs.times import parse_when_ms

_OLDEST_S = 60.0
_HINTS = {
    401: "the key is refused", 403: "the key is refused", 429: "too many calls", 400: "the filters are refused",
    413: "too much was asked for",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Matches:
    """The references that match, each once, in the platform's order; none where nothing matches."""

    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """The answer cannot be used. `refused` says that the platform itself refused the request as wrong (400)."""

    reason: str
    refused: bool = False


class Match(Enum):
    """Whether a record shows that it matches a filter."""

    YES = "yes"
    NO = "no"
    UNSHOWN = "unshown"


def judge_search(answer: Answer | Failure, pattern: ReferencePattern) -> Matches | Unusable:
    """Judges an answer whole: one item that is no reference makes all of it unusable."""
    match answer:
        case Failure(reason=reason):
            return Unusable(f"it does not answer ({reason})")
        case Answer(status=404, body=body) if of_platform(body):
            return Matches(())
        case Answer(status=200, body=list() as body):
            return _aged(answer) or _listed(body, pattern)
        case Answer(status=200):
            return Unusable("its answer is no plain list of references, or longer than can be read")
        case Answer(status=status, body=body):
            why = words_of(body) if of_platform(body) else None
            told = ": ".join(filter(None, (f"HTTP {status}", _HINTS.get(status), shown(why) if why else None)))
            return Unusable(f"it answers {told}", refused=status == CLIENT_ERRORS and of_platform(body))


def _aged(answer: Answer) -> Unusable | None:
    if answer.age_s <= _OLDEST_S:
        return None
    return Unusable(f"its answer is {answer.age_s:.0f} s old: something on the way keeps answers")


def _listed(body: Sequence[object], pattern: ReferencePattern) -> Matches | Unusable:
    references: dict[str, None] = {}
    for place, item in enumerate(body, 1):
        reference = normalise(item) if isinstance(item, str) else None
        if reference is None or not pattern.matches(reference):
            return Unusable(f"item {place:,} of its {len(body):,} is no reference: {shown(str(item))}")
        references[reference] = None
    return Matches(tuple(references))


def sampled(references: Sequence[str], most: int) -> list[str]:
    """Some of the references, the first and the last among them, at even steps over all."""
    count = len(references)
    if count <= most:
        return list(references)
    if most == 1:
        return [references[0]]
    wanted = {place * (count - 1) // (most - 1) for place in range(most)}
    return list(compress(references, (place in wanted for place in range(count))))


def match_of(record: Mapping[str, object], one: Filter) -> Match:
    """Whether the record of Get Consignment shows that it matches a filter."""
    values = _values(record, one)
    if not values:
        return Match.UNSHOWN
    return Match.YES if any(_meets(value, one) for value in values) else Match.NO


def _meets(value: object, one: Filter) -> bool:
    bound = one.bound
    if bound is None:
        fold = letters if one.name == STATE else _folded
        return fold(str(value)) == fold(one.value)
    number = _number(value, is_time=bound[0] in TIMES)
    if number is None:
        return False
    return number >= one.number if bound[1] == "From" else number <= one.number


def _folded(text: str) -> str:
    return text.strip().casefold()


def _number(value: object, *, is_time: bool) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(parse_when_ms(value, now_ms=0)) if is_time and isinstance(value, str) else None
    except ValueError:
        return None


def _values(record: Mapping[str, object], one: Filter) -> list[object]:
    """What a record shows of a filter's measure; nothing where it has no such field, or it is not known for sure."""
    name = one.bound[0] if one.bound else one.name
    read = _READ.get(name)
    found = read(record) if read else []
    if one.bound and one.bound[0] in TIMES:
        return [value for value in found if _number(value, is_time=True) is not None]
    return [value for value in found if value is not None and value != ""]


def _at(*names: str) -> Callable[[Mapping[str, object]], list[object]]:
    def read(record: Mapping[str, object]) -> list[object]:
        value: object = record
        for name in names:
            value = field(value, name) if isinstance(value, dict) else None
        return [value]

    return read


def _in_addresses(kind: str | None, *names: str) -> Callable[[Mapping[str, object]], list[object]]:
    def read(record: Mapping[str, object]) -> list[object]:
        addresses = field(record, "Addresses")
        of_kind = [
            address
            for address in (addresses if isinstance(addresses, list) else [])
            if isinstance(address, dict) and (kind is None or field(address, "AddressType") == kind)
        ]
        return [value for address in of_kind for value in _at(*names)(address)]

    return read


def _grams(record: Mapping[str, object]) -> list[object]:
    unit, value = _at("Weight", "Unit")(record)[0], _at("Weight", "Value")(record)[0]
    factor = {"kg": 1000, "g": 1}.get(str(unit).lower())
    return [round(value * factor, 3)] if factor and isinstance(value, int | float) else []


def _truth(record: Mapping[str, object]) -> list[object]:
    return [str(value).lower() for value in _at("LabelsPrinted")(record) if isinstance(value, bool)]


_READ: Mapping[str, Callable[[Mapping[str, object]], list[object]]] = {
    STATE: _at("ConsignmentState"),
    "Direction": _at("Direction"),
    "LabelsPrinted": _truth,
    "Reference": _at("Reference"),
    "ReferenceProvidedByCustomer": _at("ConsignmentReferenceProvidedByCustomer"),
    "Source": _at("Source"),
    "ShippingLocationReference": _in_addresses(None, "ShippingLocationReference"),
    "PostCode": _in_addresses("Destination", "Postcode"),
    "DestinationRegion": _in_addresses("Destination", "Region"),
    "DestinationCountryCode": _in_addresses("Destination", "Country", "IsoCode", "TwoLetterCode"),
    "CreatedDate": _at("DateCreated"),
    "Value": _at("Value", "Amount"),
    "WeightInGrams": _grams,
}
"""Where a record shows a measure. What is not here is shown by no documented field."""
