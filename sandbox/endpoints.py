"""What each endpoint of the platform does and answers, as its public guide describes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from sandbox import details
from sandbox.answers import HTML, LOGIN_PAGE, Answer, detail, error, gateway_error
from sandbox.consignments import CANCELLED_MESSAGE, DEALLOCATED_MESSAGE, not_found
from sandbox.filters import parse_filters, search
from sandbox.options import Settings
from sandbox.routes import LISTS, Endpoint
from sandbox.world import Named, World

_SIZES: Final = ("Weight", "Dimensions")


@dataclass(frozen=True, slots=True)
class Ask:
    """What one call asks: the `references` of its list or path, `at` the time by the wall's clock."""

    call: int
    endpoint: Endpoint
    references: Sequence[Named]
    query: Mapping[str, str]
    body: bytes
    base_url: str
    at: float


def read_list(body: bytes) -> list[str]:
    """Reads the list of a cancellist or deallocatelist call.

    Raises:
        ValueError: it is not a list of references.
    """
    try:
        names = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise ValueError("The request body is not valid JSON") from problem
    if not isinstance(names, list) or not names:
        raise ValueError("The request body must be a list of at least one consignment reference")
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("Each consignment reference must be a string")
    return names


def refuse_list(ask: Ask, limit: int, distinct: int) -> Answer | None:
    """Returns the refusal of a list that is too long or names a reference twice; None for any other call."""
    if ask.endpoint not in LISTS:
        return None
    if len(ask.references) > limit:
        words = f"The list may not have more than {limit} consignment references"
        return error(413, "list_too_long", words, call=ask.call)
    if distinct < len(ask.references):
        return error(400, "duplicate_references", "A consignment reference is in the list twice", call=ask.call)
    return None


def act(world: World, settings: Settings, ask: Ask) -> Answer:  # noqa: C901 - a line for each endpoint
    """Does what a call asks and returns the answer."""
    match ask.endpoint:
        case Endpoint.CANCEL_LIST:
            return _cancel_list(world, settings, ask)
        case Endpoint.DEALLOCATE_LIST:
            return _items(ask.references, world.deallocate, DEALLOCATED_MESSAGE)
        case Endpoint.CANCEL:
            return _cancel(world, settings, ask)
        case Endpoint.STATUS:
            return _read(world, ask, _status)
        case Endpoint.CONSIGNMENT:
            return _read(world, ask, _document)
        case Endpoint.SEARCH:
            return _search(world, ask)
        case Endpoint.CREATE:
            return _create(world, ask)
        case Endpoint.LOGIN:
            return Answer(200, body=LOGIN_PAGE, content_type=HTML)
        case Endpoint.WRONG_METHOD:
            return gateway_error(405, "Method Not Allowed")
        case Endpoint.UNKNOWN:
            return gateway_error(404, "Resource not found")


def _cancel_list(world: World, settings: Settings, ask: Ask) -> Answer:
    if settings.poison is not None and any(index is None for _, index in ask.references):
        code, words = "consignment_not_found", "At least one of the consignments could not be found"
        return error(settings.poison, code, words, call=ask.call)
    first = settings.deallocate_first

    def cancel(named: Named) -> str | None:
        return world.cancel(named, ask.call, deallocate_first=first)

    return _items(ask.references, cancel, CANCELLED_MESSAGE)


def _items(references: Sequence[Named], do: Callable[[Named], str | None], done: str) -> Answer:
    """Does something to each reference and answers one item for each, in their order."""
    refusals = [(named[0], do(named)) for named in references]
    return Answer(
        200,
        [
            {"IsSuccess": refusal is None, "Message": refusal or done, "Data": name, "ApiLinks": None}
            for name, refusal in refusals
        ],
    )


def _unknown(ask: Ask) -> Answer:
    words = not_found(ask.references[0][0])
    about = [detail("consignment_not_found", "consignmentReference", words)]
    return error(404, "consignment_not_found", words, call=ask.call, details=about)


def _cancel(world: World, settings: Settings, ask: Ask) -> Answer:
    named = ask.references[0]
    if named[1] is None:
        return _unknown(ask)
    refusal = world.cancel(named, ask.call, deallocate_first=settings.deallocate_first)
    if refusal is None:
        return Answer(200)
    about = [detail("invalid_consignment_state", "consignmentReference", refusal)]
    return error(400, "consignment_cannot_be_cancelled", refusal, call=ask.call, details=about)


def _read(world: World, ask: Ask, show: Callable[[World, Ask, int], dict[str, object]]) -> Answer:
    _, index = ask.references[0]
    return _unknown(ask) if index is None else Answer(200, show(world, ask, index))


def _document(world: World, _: Ask, index: int) -> dict[str, object]:
    return world.document(index)


def _status(world: World, ask: Ask, index: int) -> dict[str, object]:
    name = world.reference(index)
    return {
        "ConsignmentReferenceForAllLegsAssignedByMpd": name,
        "Status": world.state(index),
        "ExpectedDeliveryDate": details.delivery_at(world.seed, index).isoformat(),
        "ApiLink": _link(ask, name),
    }


def _link(ask: Ask, name: str) -> dict[str, object]:
    return {"Rel": "Link", "Href": f"{ask.base_url}/consignments/{name}"}


def _search(world: World, ask: Ask) -> Answer:
    try:
        predicates = parse_filters(ask.query)
    except ValueError as problem:
        return error(400, "invalid_filter", str(problem), call=ask.call)
    return Answer(200, matches=search(world, predicates))


def nothing_matches(ask: Ask) -> Answer:
    """Returns the answer to a search that found nothing."""
    return error(404, "consignments_not_found", "No consignments match the filters", call=ask.call)


def _create(world: World, ask: Ask) -> Answer:
    try:
        document = orjson.loads(ask.body)
    except orjson.JSONDecodeError:
        return error(400, "invalid_json", "The request body is not valid JSON", call=ask.call)
    problems = _problems(document) if isinstance(document, dict) else [("", "The request body must be an object")]
    if problems:
        about = [detail("invalid_request", target, words) for target, words in problems]
        return error(400, "invalid_request", "The consignment is not valid", call=ask.call, details=about)
    index = world.create(document, datetime.fromtimestamp(ask.at, UTC))
    return Answer(201, [_link(ask, world.reference(index))])


def _problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what a new consignment lacks, as target and words."""
    problems = []
    packages, addresses = _objects(document.get("Packages")), _objects(document.get("Addresses"))
    if not packages:
        problems.append(("Packages", "At least one package is required"))
    for place, package in enumerate(packages):
        if not package.get("PackageSizeReference") and not all(package.get(size) for size in _SIZES):
            problems.append((f"Packages[{place}]", "Weight and Dimensions, or PackageSizeReference, are required"))
    kinds = {address.get("AddressType") for address in addresses if isinstance(address.get("AddressType"), str)}
    problems += [
        ("Addresses", f"One {kind} address is required") for kind in ("Origin", "Destination") if kind not in kinds
    ]
    return problems


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
