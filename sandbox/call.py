"""What a call asks for, after it has been read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from cancellist.sandbox.routes import Endpoint
from cancellist.sandbox.world.world import Named


@dataclass(frozen=True, slots=True)
class Ask:
    """What one call asks: the `references` of its list or path, `at` the time by the wall's clock.

    `take` and `skip` are those of a search by pages; `as_of` is the time of the states that a stale read shows.
    """

    call: int
    endpoint: Endpoint
    references: Sequence[Named]
    query: Mapping[str, str]
    body: bytes
    base_url: str
    at: float
    take: int = 0
    skip: int = 0
    as_of: float | None = None


def read_list(body: bytes) -> list[str]:
    """Reads the list of a call that names several consignments.

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


def link(ask: Ask, name: str) -> dict[str, object]:
    """Returns where a consignment is found."""
    return {"Rel": "Link", "Href": f"{ask.base_url}/consignments/{name}"}
