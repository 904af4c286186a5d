"""Reads the records of many references, some at once. Each call waits for its permission."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.safety.consignment_record import Seen, Standing, judge_record
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight.together import together

Permit = Callable[[], AbstractAsyncContextManager[None]]
"""Holds the permission of one call for the length of a block."""
_TRIES: Final = 3
_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_KEY_REFUSED: Final = frozenset({401, 403})
_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, in the order of the references, and how long a read took; None where none was answered."""

    seen: Sequence[Seen]
    call_s: float | None


class RecordReader:
    """Reads records of one account's platform. What cannot be read is unknown.

    Args:
        client: calls the platform.
        permit: gives the permission of a call.
        at_once: the most calls at once.
        now_ms: the present time, Unix milliseconds.
    """

    def __init__(self, client: PlatformClient, permit: Permit, *, at_once: int, now_ms: int) -> None:
        self._client = client
        self._permit = permit
        self._at_once = at_once
        self._now_ms = now_ms
        self._took_s: list[float] = []
        self._refused = ""

    async def read(self, references: Sequence[str]) -> Reading:
        """Reads the records of these references.

        Raises:
            NotPermittedError: the account may make no call now, nor soon.
            LedgerError: the server does not answer.
        """
        seen: dict[str, Seen] = {}
        waiting = iter(references)
        await together(self._lane(waiting, seen) for _ in range(min(self._at_once, len(references))))
        call_s = sum(self._took_s) / len(self._took_s) if self._took_s else None
        return Reading([seen[reference] for reference in references], call_s)

    async def _lane(self, waiting: Iterator[str], seen: dict[str, Seen]) -> None:
        for reference in waiting:
            if self._refused:  # a refused key is not tried for each reference
                seen[reference] = Seen(reference, Standing.UNKNOWN, why=self._refused)
            else:
                seen[reference] = await self._one(reference)

    async def _one(self, reference: str) -> Seen:
        tries = 1
        while True:
            answer = await self._call(reference)
            pause_s = _pause_s(answer, tries)
            if pause_s is None or tries == _TRIES:
                break
            tries += 1
            await asyncio.sleep(pause_s)
        if isinstance(answer, Answer) and answer.status in _KEY_REFUSED:
            self._refused = f"the key is refused: HTTP {answer.status}"
        return judge_record(reference, answer, self._now_ms)

    async def _call(self, reference: str) -> Answer | Failure:
        async with self._permit():
            loop = asyncio.get_running_loop()
            began_at = loop.time()
            answer = await self._client.record(reference)
            if isinstance(answer, Answer):
                self._took_s.append(loop.time() - began_at)
            return answer


def _pause_s(answer: Answer | Failure, tries: int) -> float | None:
    """How long to wait before the same is read once more; None where that is of no use."""
    usual_s: float = _PAUSE_S * 2**tries
    match answer:
        case Failure():
            return usual_s
        case Answer(status=status, retry_after_s=asked_s) if status in _AGAIN:
            return min(_LONGEST_PAUSE_S, usual_s if asked_s is None else asked_s)
        case _:
            return None
