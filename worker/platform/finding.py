"""Finds references by filters, and makes sure that the platform honours every one of the filters.

A platform may ignore filters that it does not know, and would then answer with every consignment there is. So the
records of some of the references that were found are read and compared with the filters. A filter that no record shows
is asked for with values that cannot be met, which must find nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from cancellist.jobs.errors import SearchError
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import Answer, Failure, is_success
from cancellist.jobs.responses.answer_forms import field
from cancellist.jobs.responses.search import Match, Matches, Unusable, judge_search, match_of, sampled
from cancellist.jobs.responses.search_filters import TIMES, Filter
from cancellist.worker.platform.client import PlatformClient

READ_BACK = 5
_NEVER = ("2999-12-31T00:00:00Z", "1900-01-01T00:00:00Z")
_NO_NUMBER = ("999999999999", "-1")
_NOWHERE = "CANCELLIST-MATCHES-NOTHING"

Permit = Callable[[], AbstractAsyncContextManager[None]]
"""Holds the permission of one call for the length of a block."""


class Finder:
    """Searches the platform of one account. Each call waits for its permission.

    Args:
        client: calls the platform.
        pattern: what a reference looks like.
        permit: gives the permission of a call.
    """

    def __init__(self, client: PlatformClient, pattern: ReferencePattern, permit: Permit) -> None:
        self._client = client
        self._pattern = pattern
        self._permit = permit

    async def find(self, filters: Sequence[Filter]) -> tuple[str, ...]:
        """The references that match all filters; none where nothing does.

        Raises:
            SearchError: the platform does not answer with a list of references, or does not honour a filter.
        """
        found = await self._search(filters)
        if isinstance(found, Unusable):
            raise SearchError(f"the search for consignments failed: {found.reason}; no job was created")
        if found.references:
            await self._check(filters, found.references)
        return found.references

    async def _search(self, filters: Sequence[Filter]) -> Matches | Unusable:
        async with self._permit():
            answer = await self._client.references([(one.name, one.value) for one in filters])
        return judge_search(answer, self._pattern)

    async def _check(self, filters: Sequence[Filter], references: Sequence[str]) -> None:
        """Makes sure that the platform honours the filters.

        Raises:
            SearchError: it does not, or that cannot be known.
        """
        unshown: dict[str, Filter] = {}
        for reference in sampled(references, READ_BACK):
            record = await self._record(reference)
            for one in filters:
                match match_of(record, one):
                    case Match.NO:
                        raise SearchError(
                            f"{reference} was found, but its record does not match {one}: the platform ignores the "
                            "filter, or the consignment has just changed; no job was created"
                        )
                    case Match.UNSHOWN:
                        unshown[one.name] = one
                    case Match.YES:
                        pass
        for one in unshown.values():
            await self._check_honoured(one)

    async def _record(self, reference: str) -> dict[str, object]:
        async with self._permit():
            answer = await self._client.record(reference)
        body = answer.body if isinstance(answer, Answer) and is_success(answer.status) else None
        if not isinstance(body, dict) or normalise(str(field(body, "Reference"))) != reference:
            why = answer.reason if isinstance(answer, Failure) else f"HTTP {answer.status}"
            raise SearchError(
                f"the record of {reference} cannot be read ({why}), so it is not known whether the platform honours "
                "the filters; no job was created"
            )
        return body

    async def _check_honoured(self, one: Filter) -> None:
        """Asks for what no consignment can match.

        Raises:
            SearchError: something was found all the same.
        """
        found = await self._search([replace(one, value=_impossible(one))])
        honoured = found.refused if isinstance(found, Unusable) else not found.references
        if honoured:
            return
        why = f"{found.reason}" if isinstance(found, Unusable) else "a value that none can have finds consignments"
        raise SearchError(f"it is not known whether the platform honours {one.name}: {why}; no job was created")


def _impossible(one: Filter) -> str:
    if one.bound is None:
        return _NOWHERE
    stem, end = one.bound
    return (_NEVER if stem in TIMES else _NO_NUMBER)[end == "To"]
