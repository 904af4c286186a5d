"""Filters of the searches. Pure.

What they look at is derived from the seed, or, for consignments that calls created, what these were given.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, NamedTuple

from cancellist.sandbox.world import details
from cancellist.sandbox.world.consignments import State, state_named
from cancellist.sandbox.world.documents import inside
from cancellist.sandbox.world.world import SLICE, World

Reader = Callable[[World, int], Any]
Predicate = Callable[[World, int], bool]


class _Range(NamedTuple):
    """A filter that comes as a pair, `...From` and `...To`, both inclusive."""

    read: Reader
    parse: Callable[[str], Any]


def parse_filters(query: Mapping[str, str]) -> list[Predicate]:
    """Reads the query of a search, names in any case of letters.

    Raises:
        ValueError: names the filter that is unknown or whose value cannot be read.
    """
    return [_predicate(name, value) for name, value in query.items()]


def matching(world: World, predicates: Sequence[Predicate]) -> Iterator[Sequence[int]]:
    """Yields the indexes that match in slices, a slice empty where nothing in it matched."""
    count = world.count
    for start in range(0, count, SLICE):
        indexes: Sequence[int] = range(start, min(start + SLICE, count))
        for test in predicates:
            indexes = [index for index in indexes if test(world, index)]
        yield indexes


def _predicate(name: str, value: str) -> Predicate:
    key = name.lower()
    if key == "reference":
        return _is_reference(value)
    if key == "searchterm":
        return _mentions(value.lower())
    if key in _EXACT:
        return _equals(name, *_EXACT[key], value)
    stem, end = (key[:-4], "from") if key.endswith("from") else (key[:-2], key[-2:])
    if stem in _RANGES and end in {"from", "to"}:
        return _bounded(name, _RANGES[stem], value, lower=end == "from")
    raise ValueError(f"{name} is not a filter")


def _is_reference(value: str) -> Predicate:
    def test(world: World, index: int) -> bool:
        return index == world.find(value)

    return test


def _mentions(term: str) -> Predicate:
    """Looks for a text in the references that a consignment goes by."""

    def test(world: World, index: int) -> bool:
        names = (world.reference(index), _customer_reference(world, index), _tracking_reference(world, index))
        return any(term in name.lower() for name in names)

    return test


def _equals(name: str, read: Reader, parse: Callable[[str], Any], value: str) -> Predicate:
    wanted = _parsed(name, parse, value)

    def test(world: World, index: int) -> bool:
        return bool(read(world, index) == wanted)

    return test


def _bounded(name: str, what: _Range, value: str, *, lower: bool) -> Predicate:
    bound = _parsed(name, what.parse, value)
    read = what.read

    def at_least(world: World, index: int) -> bool:
        value = read(world, index)
        return value is not None and bool(value >= bound)

    def at_most(world: World, index: int) -> bool:
        value = read(world, index)
        return value is not None and bool(value <= bound)

    return at_least if lower else at_most


def _parsed(name: str, parse: Callable[[str], Any], value: str) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a value of {name}") from error


def _state(value: str) -> State:
    state = state_named(value)
    if state is None:
        raise ValueError(value)
    return state


def _when(value: str) -> datetime:
    # A plus sign that nobody escaped arrives as a space.
    when = datetime.fromisoformat(value.replace(" ", "+"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _number(value: str) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(value)
    return number


def _flag(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ValueError(value)
    return value.lower() == "true"


def _maybe_when(value: object) -> datetime | None:
    """Returns a time that a caller gave; None where it cannot be read."""
    try:
        return _when(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _reader(derived: Callable[[int, int], Any], *names: str) -> Reader:
    """Returns what reads a value: derived, or where a call created the consignment, from its record by these names."""

    def read(world: World, index: int) -> Any:
        if world.created_by_call(index) is None:
            return derived(world.seed, index)
        return inside(world.document(index), *names)

    return read


def _text(read: Reader) -> tuple[Reader, Callable[[str], str]]:
    """Returns a reader of a text, in small letters, and what makes the same of a filter's value."""
    return (lambda world, index: str(read(world, index) or "").lower()), str.lower


def _address(kind: str, derived: Callable[[int, int], Any], *names: str) -> Reader:
    """Returns what reads a value of one of the addresses, by its kind."""

    def read(world: World, index: int) -> Any:
        if world.created_by_call(index) is None:
            return derived(world.seed, index)
        addresses: Any = world.document(index)["Addresses"]
        return next((inside(address, *names) for address in addresses if address["AddressType"] == kind), None)

    return read


def _created_at(world: World, index: int) -> datetime:
    created = world.created_by_call(index)
    return created.at if created else details.created_at(world.seed, index)


def _customer_reference(world: World, index: int) -> str:
    return str(_CUSTOMER(world, index) or "")


def _tracking_reference(world: World, index: int) -> str:
    """Returns the carrier's reference; what a call created has none, as it was never allocated."""
    return "" if world.created_by_call(index) else details.tracking_reference(world.seed, index)


def _date(derived: Callable[[int, int], datetime], *names: str) -> Reader:
    read = _reader(derived, *names)

    def read_date(world: World, index: int) -> datetime | None:
        value = read(world, index)
        return value if isinstance(value, datetime) else _maybe_when(value)

    return read_date


def _weight_g(world: World, index: int) -> float:
    if world.created_by_call(index) is None:
        return details.weight_g(world.seed, index)
    weight = inside(world.document(index), "Weight", "Value")
    return 1_000 * weight if isinstance(weight, int | float) else 0.0


def _country(seed: int, index: int) -> str:
    return details.town(seed, index).country


_CUSTOMER: Final = _reader(details.customer_reference, "ConsignmentReferenceProvidedByCustomer")
_EXACT: Final[dict[str, tuple[Reader, Callable[[str], Any]]]] = {
    "state": (World.state, _state),
    "shippinglocationreference": _text(_address("Origin", details.shipping_location, "ShippingLocationReference")),
    "referenceprovidedbycustomer": _text(_CUSTOMER),
    "direction": _text(_reader(details.direction, "Direction")),
    "source": _text(_reader(details.source, "Source")),
    "carrierservice": _text(_reader(details.carrier_service, "Allocation", "MpdCarrierServiceName")),
    "trackingreference": _text(_tracking_reference),
    "postcode": _text(_address("Destination", lambda seed, index: details.town(seed, index).postcode, "Postcode")),
    "destinationcountrycode": _text(_address("Destination", _country, "Country", "IsoCode", "TwoLetterCode")),
    "destinationregion": _text(_address("Destination", lambda seed, index: details.town(seed, index).region, "Region")),
    "labelsprinted": (_reader(details.labels_printed, "LabelsPrinted"), _flag),
}
_RANGES: Final[dict[str, _Range]] = {
    "createddate": _Range(_created_at, _when),
    "shippeddate": _Range(_date(details.ships_at, "ShippingDate"), _when),
    "requesteddeliverydate": _Range(_date(details.delivery_at, "RequestedDeliveryDate", "Date"), _when),
    "scheduleddeliverydate": _Range(_date(details.delivery_at, "RequestedDeliveryDate", "Date"), _when),
    "value": _Range(_reader(lambda seed, index: details.value_pence(seed, index) / 100, "Value", "Amount"), _number),
    "weightingrams": _Range(_weight_g, _number),
}
