"""Filters of Get Consignments References. Pure.

State, creation and shipping location hold for consignments that calls created too; what else the filters look at is
derived from the seed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sandbox import details
from sandbox.consignments import STATE_BY_NAME, State
from sandbox.world import SLICE, World

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


def search(world: World, predicates: Sequence[Predicate]) -> Iterator[list[str]]:
    """Yields the references that match in slices, a slice empty where nothing in it matched."""
    count = world.count
    for start in range(0, count, SLICE):
        indexes: Sequence[int] = range(start, min(start + SLICE, count))
        for test in predicates:
            indexes = [index for index in indexes if test(world, index)]
        yield [world.reference(index) for index in indexes]


def _predicate(name: str, value: str) -> Predicate:
    key = name.lower()
    if key == "reference":
        return _is_reference(value)
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


def _equals(name: str, read: Reader, parse: Callable[[str], Any], value: str) -> Predicate:
    wanted = _parsed(name, parse, value)

    def test(world: World, index: int) -> bool:
        return bool(read(world, index) == wanted)

    return test


def _bounded(name: str, what: _Range, value: str, *, lower: bool) -> Predicate:
    bound = _parsed(name, what.parse, value)
    read = what.read

    def at_least(world: World, index: int) -> bool:
        return bool(read(world, index) >= bound)

    def at_most(world: World, index: int) -> bool:
        return bool(read(world, index) <= bound)

    return at_least if lower else at_most


def _parsed(name: str, parse: Callable[[str], Any], value: str) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a value of {name}") from error


def _state(value: str) -> State:
    try:
        return STATE_BY_NAME[value.lower()]
    except KeyError as error:
        raise ValueError(value) from error


def _when(value: str) -> datetime:
    # A plus sign that nobody escaped arrives as a space.
    when = datetime.fromisoformat(value.replace(" ", "+"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _flag(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ValueError(value)
    return value.lower() == "true"


def _folded(read: Callable[[int, int], str]) -> tuple[Reader, Callable[[str], str]]:
    return (lambda world, index: read(world.seed, index).lower()), str.lower


def _derived(read: Callable[[int, int], Any]) -> Reader:
    return lambda world, index: read(world.seed, index)


def _created_at(world: World, index: int) -> datetime:
    created = world.created_by_call(index)
    return created.at if created else details.created_at(world.seed, index)


def _shipping_location(world: World, index: int) -> str:
    created = world.created_by_call(index)
    if created is None:
        return details.shipping_location(world.seed, index).lower()
    addresses = created.document.get("Addresses")
    places = [address.get("ShippingLocationReference") for address in addresses] if isinstance(addresses, list) else []
    return next((str(place).lower() for place in places if place), "")


def _customer_reference(world: World, index: int) -> str:
    created = world.created_by_call(index)
    given = created.document.get("ConsignmentReferenceProvidedByCustomer") if created else None
    return str(given or details.customer_reference(world.seed, index)).lower()


_EXACT: Final[dict[str, tuple[Reader, Callable[[str], Any]]]] = {
    "state": (World.state, _state),
    "shippinglocationreference": (_shipping_location, str.lower),
    "referenceprovidedbycustomer": (_customer_reference, str.lower),
    "direction": _folded(details.direction),
    "source": _folded(details.source),
    "carrierservice": _folded(details.carrier_service),
    "trackingreference": _folded(details.tracking_reference),
    "postcode": _folded(lambda seed, index: details.town(seed, index).postcode),
    "destinationcountrycode": _folded(lambda seed, index: details.town(seed, index).country),
    "destinationregion": _folded(lambda seed, index: details.town(seed, index).region),
    "labelsprinted": (_derived(details.labels_printed), _flag),
}
_RANGES: Final[dict[str, _Range]] = {
    "createddate": _Range(_created_at, _when),
    "shippeddate": _Range(_derived(details.ships_at), _when),
    "requesteddeliverydate": _Range(_derived(details.delivery_at), _when),
    "scheduleddeliverydate": _Range(_derived(details.delivery_at), _when),
    "value": _Range(_derived(lambda seed, index: details.value_pence(seed, index) / 100), float),
    "weightingrams": _Range(_derived(details.weight_g), float),
}
