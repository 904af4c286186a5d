"""Creates one consignment anew, at most once.

The order is what makes it so: permission, claim in the ledger, a line on the disk, the request, and then what came of
it on the disk and in the ledger. From the claim to there nothing interrupts it but the end of this process. What is
unclear then is looked for by its marker, and never sent again by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

from cancellist.jobs.errors import CancellistError, LedgerUnavailableError
from cancellist.jobs.ledger import reinstatements
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.reinstatements import Claim, ClaimState
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.responses.created import Created, Made, NotMade, TooMany, Unclear, judge_created
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement, marked
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.reinstating.candidates import Task
from cancellist.worker.reinstating.journal import Event, Journal
from cancellist.worker.reinstating.marker_search import Found, MarkerSearch, Permit, Unsearchable

T = TypeVar("T")

_LOOKS_AFTER_S: Final = (0.0, 0.5, 2.0)
"""A search may lag behind what was created."""
_TRIES: Final = 4
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_LEDGER_TRIES: Final = 10
_LEDGER_PAUSE_S: Final = 0.5


class HaltError(Exception):
    """Nothing more can be created now; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where consignments are created.

    Attributes:
        lease_ms: for how long a claim holds: a request is sent only within half of it.
    """

    ledger: Ledger
    client: PlatformClient
    permit: Permit
    journal: Journal
    search: MarkerSearch
    pattern: ReferencePattern
    account: str
    run: str
    lease_ms: int


class Creator:
    """Creates consignments at one place.

    Attributes:
        marker_is_kept: whether the platform shows the markers of what it creates; None where that is not known yet.
    """

    def __init__(self, place: Place, tell: Callable[[Reinstatement], None]) -> None:
        self.marker_is_kept: bool | None = None
        self._place = place
        self._tell = tell

    async def create(self, task: Task) -> Reinstatement:
        """Creates a consignment; `tell` hears what came of it, also where this is cancelled meanwhile.

        Raises:
            HaltError: nothing was created for a reason that holds for the others too.
            NotPermittedError: the account may make no call now, nor soon.
            LedgerError: the server does not answer.
            OutputError: what is done cannot be noted on the disk.
        """
        for tries in range(1, _TRIES + 1):
            attempt = reinstatements.new_attempt()
            async with self._place.permit():
                sent = await _to_its_end(self._send(task, attempt))
            match sent:
                case Reinstatement():
                    return sent
                case NotMade(why=why, stops=stops):
                    if stops or tries == _TRIES:
                        raise HaltError(why)
                    await asyncio.sleep(_PAUSE_S * tries)
                case TooMany(why=why, wait_s=wait_s):
                    found = await self._looked_for(task, attempt, why, _LOOKS_AFTER_S[:1])
                    if found:
                        return found
                    await self._give_back(task, attempt, why)
                    pause_s = _PAUSE_S * 2**tries if wait_s is None else wait_s
                    if pause_s > _LONGEST_PAUSE_S or tries == _TRIES:
                        raise HaltError(f"{why}: the platform asks for a pause")
                    await asyncio.sleep(pause_s)
                case Unclear(why=why):
                    found = await self._looked_for(task, attempt, why)
                    return found or Reinstatement(task.reference, Fate.UNCONFIRMED, why=why)
                case Made():
                    break
        raise AssertionError("unreachable")

    async def _send(self, task: Task, attempt: str) -> Created | Reinstatement:
        place, reference = self._place, task.reference
        given_up, task_lease = task.given_up, place.lease_ms
        began_at = monotonic()
        other = await _patiently(
            lambda: reinstatements.claim(
                place.ledger, place.account, reference, attempt=attempt, run=place.run, lease_ms=task_lease,
                given_up=given_up,
            )
        )  # fmt: skip
        if other:
            return self._told(of_claim(other))
        try:
            await self._note(Event.SENDING, task, attempt)
        except CancellistError:  # nothing was sent
            await reinstatements.free(place.ledger, place.account, reference, attempt)
            raise

        async def may_send() -> bool:
            return monotonic() - began_at < task_lease / 2000

        answer = await place.client.create(marked(task.body, reference, attempt), may_send)
        made = judge_created(answer, place.pattern, reference)
        match made:
            case Made(reference=new):
                await self._made(task, attempt, new)
                return self._told(Reinstatement(reference, Fate.CREATED, new))
            case NotMade(why=why):
                await self._give_back(task, attempt, why)
                if made.is_final:
                    return self._told(Reinstatement(reference, Fate.REFUSED, why=why))
            case TooMany(why=why) | Unclear(why=why):
                await self._note(Event.UNCONFIRMED, task, attempt, why=why)
                await _patiently(
                    lambda: reinstatements.note_unconfirmed(place.ledger, place.account, reference, attempt)
                )
                self._tell(Reinstatement(reference, Fate.UNCONFIRMED, why=why))
        return made

    async def _looked_for(
        self, task: Task, attempt: str, why: str, looks_after_s: Sequence[float] = _LOOKS_AFTER_S
    ) -> Reinstatement | None:
        """What was created after all, or why it must be left unconfirmed; None where nothing was found."""
        since_ms = await self._place.ledger.now_ms() - self._place.lease_ms
        found: Found | Unsearchable = Found(None)
        for after_s in looks_after_s:
            await asyncio.sleep(after_s)
            found = await self._place.search.find(task.reference, task.filters, since_ms)
            if isinstance(found, Found) and found.new:
                await _to_its_end(self._made(task, attempt, found.new))
                return self._told(Reinstatement(task.reference, Fate.CREATED, found.new))
        if isinstance(found, Unsearchable):
            return self._told(Reinstatement(task.reference, Fate.UNCONFIRMED, why=f"{why}; {found.why}"))
        if self.marker_is_kept is False:
            nowhere = f"{why}; the platform shows no marker, so it cannot be looked for"
            return self._told(Reinstatement(task.reference, Fate.UNCONFIRMED, why=nowhere))
        return None

    async def _made(self, task: Task, attempt: str, new: str) -> None:
        place = self._place
        try:
            await self._note(Event.CREATED, task, attempt, new=new)
        finally:
            await _patiently(
                lambda: reinstatements.note_made(place.ledger, place.account, task.reference, attempt, new)
            )

    async def _give_back(self, task: Task, attempt: str, why: str) -> None:
        place = self._place
        await self._note(Event.NOT_CREATED, task, attempt, why=why)
        await _patiently(lambda: reinstatements.free(place.ledger, place.account, task.reference, attempt))
        self._tell(Reinstatement(task.reference, Fate.PENDING, why=why))

    async def _note(
        self, event: Event, task: Task, attempt: str, *, new: str | None = None, why: str | None = None
    ) -> None:
        at_ms = await _patiently(self._place.ledger.now_ms)

        def write() -> None:
            self._place.journal.write(event, task.reference, attempt, at_ms=at_ms, job=task.job, new=new, why=why)

        await asyncio.to_thread(write)

    def _told(self, one: Reinstatement) -> Reinstatement:
        self._tell(one)
        return one


def of_claim(claim: Claim) -> Reinstatement:
    """What an attempt of another run means for this one."""
    match claim.state:
        case ClaimState.MADE:
            return Reinstatement(claim.reference, Fate.ALREADY_CREATED, claim.new)
        case ClaimState.SENDING:
            return Reinstatement(claim.reference, Fate.PENDING, why="another run creates it now")
        case ClaimState.UNCONFIRMED:
            return Reinstatement(claim.reference, Fate.UNCONFIRMED, why="an earlier run may have created it")


async def _to_its_end(work: Awaitable[T]) -> T:
    """Does something to its end, whether this is cancelled meanwhile or not."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # it was cancelled anyway
        raise


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks the server, and asks again where it does not answer: every script may be sent twice.

    Raises:
        LedgerError: it does not answer for some seconds.
    """
    for _ in range(_LEDGER_TRIES):
        try:
            return await ask()
        except LedgerUnavailableError:
            await asyncio.sleep(_LEDGER_PAUSE_S)
    return await ask()
