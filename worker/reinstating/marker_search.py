"""Looks whether a consignment was created, where the answer to the request was lost: its marker shows it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.answer_forms import field
from cancellist.jobs.responses.search import Unusable, judge_search
from cancellist.jobs.safety.reinstatement import has_marker, is_marked
from cancellist.jobs.times import rfc3339
from cancellist.worker.platform.client import PlatformClient

Permit = Callable[[], AbstractAsyncContextManager[None]]
"""Holds the permission of one call for the length of a block."""
_CLOCKS_APART_MS: Final = 600_000
"""The platform's clock may be behind ours."""
_MOST: Final = 50
"""Consignments whose records are read to find one."""


@dataclass(frozen=True, slots=True)
class Found:
    """The new consignment; None where the platform has none."""

    new: str | None


@dataclass(frozen=True, slots=True)
class Unsearchable:
    """It cannot be known whether the platform has one."""

    why: str


class MarkerSearch:
    """Searches the platform of one account. Each call waits for its permission."""

    def __init__(self, client: PlatformClient, pattern: ReferencePattern, permit: Permit) -> None:
        self._client = client
        self._pattern = pattern
        self._permit = permit

    async def find(self, reference: str, filters: Sequence[tuple[str, str]], since_ms: int) -> Found | Unsearchable:
        """Looks for what was created since then to reinstate a consignment.

        Raises:
            NotPermittedError: the account may make no call now, nor soon.
        """
        since = rfc3339(since_ms - _CLOCKS_APART_MS) or ""
        async with self._permit():
            answer = await self._client.references([("CreatedDateFrom", since), *filters])
        matches = judge_search(answer, self._pattern)
        if isinstance(matches, Unusable):
            return Unsearchable(f"the platform cannot be searched: {matches.reason}")
        others = [one for one in matches.references if one != reference]
        if len(others) > _MOST:
            return Unsearchable(f"{len(others):,} consignments were created since then: too many to look through")
        found: list[str] = []
        for one in others:
            record = await self.record(one)
            if isinstance(record, str):
                return Unsearchable(f"the record of {one} cannot be read: {record}")
            if is_marked(record, reference):
                found.append(one)
        if len(found) > 1:
            return Unsearchable(f"there are several: {', '.join(found)}")
        return Found(found[0] if found else None)

    async def record(self, reference: str) -> dict[str, object] | str:
        """The record of a consignment with its marker, if it has one; else why it cannot be read."""
        async with self._permit():
            record = _record(reference, await self._client.record(reference))
        if isinstance(record, str) or has_marker(record):
            return record
        async with self._permit():  # some platforms show metadata only here
            fuller = _record(reference, await self._client.record_with_metadata(reference))
        return record if isinstance(fuller, str) else fuller


def _record(reference: str, answer: Answer | Failure) -> dict[str, object] | str:
    match answer:
        case Failure(reason=reason):
            return reason
        case Answer(status=200, body=dict() as body) if normalise(str(field(body, "Reference"))) == reference:
            return body
        case Answer(status=status):
            return f"HTTP {status}"
