"""Create Consignment: what a new consignment must have."""

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from cancellist.sandbox.answers.answers import Answer, detail, error
from cancellist.sandbox.call import Ask, link
from cancellist.sandbox.world.documents import objects
from cancellist.sandbox.world.world import World

_SIZES: Final = ("Weight", "Dimensions")


def create(world: World, ask: Ask) -> Answer:
    """Adds the consignment that a call describes, or says what it lacks."""
    try:
        document = orjson.loads(ask.body)
    except orjson.JSONDecodeError:
        return error(400, "invalid_json", "The request body is not valid JSON", call=ask.call)
    problems = _problems(document) if isinstance(document, dict) else [("", "The request body must be an object")]
    if problems:
        about = [detail("invalid_request", target, words) for target, words in problems]
        return error(400, "invalid_request", "The consignment is not valid", call=ask.call, details=about)
    index = world.create(document, datetime.fromtimestamp(ask.at, UTC))
    return Answer(201, [link(ask, world.reference(index))])


def _problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what a new consignment lacks, as target and words."""
    problems = []
    packages, addresses = objects(document, "Packages"), objects(document, "Addresses")
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
