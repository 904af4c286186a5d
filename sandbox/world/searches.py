"""Searches and counts over all consignments, in steps, so that ten million of them do not block other calls."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from cancellist.sandbox.answers.answers import Answer, error
from cancellist.sandbox.call import Ask
from cancellist.sandbox.world import details, documents
from cancellist.sandbox.world.filters import Predicate, matching, parse_filters
from cancellist.sandbox.world.world import World

_MOST_TAKEN: Final = 1_000


def references(world: World, ask: Ask) -> Answer:
    """Answers the references that match; they are streamed."""
    predicates = _predicates(ask)
    if isinstance(predicates, Answer):
        return predicates
    return Answer(200, matches=([world.reference(index) for index in part] for part in matching(world, predicates)))


def nothing_matches(ask: Ask) -> Answer:
    """Returns the answer to a search for references that found nothing."""
    return error(404, "consignments_not_found", "No consignments match the filters", call=ask.call)


def page(world: World, ask: Ask) -> Answer:
    """Answers summaries of those that match: at most `take` of them, after the first `skip`, and how many match."""
    if ask.take > _MOST_TAKEN:
        return error(400, "invalid_take", f"No more than {_MOST_TAKEN} consignments can be taken", call=ask.call)
    predicates = _predicates(ask)
    return predicates if isinstance(predicates, Answer) else Answer(200, steps=_page(world, ask, predicates))


def summary(world: World, ask: Ask) -> Answer:
    """Answers how many consignments are in each state, of those created in a span of time."""
    query = {name.lower(): value for name, value in ask.query.items()}
    start, end = query.get("startfrom"), query.get("endat") or query.get("endto")
    bounds = {"CreatedDateFrom": start, "CreatedDateTo": end}
    try:
        predicates = parse_filters({name: value for name, value in bounds.items() if value})
    except ValueError as problem:
        return error(400, "invalid_filter", str(problem), call=ask.call)
    span = {
        "StartFrom": start or details.FIRST.isoformat(),
        "EndTo": end or datetime.fromtimestamp(ask.at, UTC).isoformat(),
    }
    return Answer(200, steps=_summary(world, predicates, span))


def _predicates(ask: Ask) -> list[Predicate] | Answer:
    try:
        return parse_filters(ask.query)
    except ValueError as problem:
        return error(400, "invalid_filter", str(problem), call=ask.call)


def _page(world: World, ask: Ask, predicates: Sequence[Predicate]) -> Iterator[Answer | None]:
    found, taken = 0, list[int]()
    for part in matching(world, predicates):
        taken += part[max(0, ask.skip - found) : max(0, ask.skip + ask.take - found)]
        found += len(part)
        yield None
    yield Answer(200, {"Count": found, "ConsignmentSummaries": [_shown(world, ask, index) for index in taken]})


def _shown(world: World, ask: Ask, index: int) -> dict[str, object]:
    href = f"{ask.base_url}/consignments/{world.reference(index)}"
    return documents.summary(world.document(index), {"Rel": "detail", "Href": href})


def _summary(world: World, predicates: Sequence[Predicate], span: dict[str, str]) -> Iterator[Answer | None]:
    states: Counter[str] = Counter()
    for part in matching(world, predicates):
        states.update(world.state(index) for index in part)
        yield None
    counts = [{"Key": state, "Value": count} for state, count in sorted(states.items())]
    yield Answer(200, {"NumberOfConsignments": states.total(), "Summary": counts} | span)
