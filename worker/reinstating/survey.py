"""Looks what could be created: what was created before, what is unclear, and what is cancelled on the platform now."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cancellist.jobs.ledger import reinstatements
from cancellist.jobs.ledger.reinstatements import Claim, ClaimState
from cancellist.jobs.safety.consignment_record import Seen, Standing
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement
from cancellist.jobs.times import rfc3339
from cancellist.worker.preflight.record_reader import RecordReader
from cancellist.worker.reinstating.candidates import Candidate
from cancellist.worker.reinstating.creator import Place, of_claim
from cancellist.worker.reinstating.journal import Event, Noted
from cancellist.worker.reinstating.marker_search import Unsearchable

_NOT_FOUND = "an earlier run may have created it, and nothing was found on the platform"


@dataclass(slots=True)
class Survey:
    """What was seen.

    Attributes:
        fates: what becomes of those that are not to be created, by reference.
        to_create: those that are.
        given_up: of these, those that an earlier run may have created: its attempt.
    """

    fates: dict[str, Reinstatement] = field(default_factory=dict)
    to_create: list[str] = field(default_factory=list)
    given_up: dict[str, str] = field(default_factory=dict)

    def leave(self, reference: str, fate: Fate, why: str | None = None) -> None:
        """One that is not to be created."""
        self.fates[reference] = Reinstatement(reference, fate, why=why)


class Surveyor:
    """Surveys the candidates of one account.

    Args:
        place: where they would be created.
        hosts: the platform's host, in small letters, with and without its usual port.
        again: whether those are created again that an earlier run may have created, and that are not found.
        rehearse: whether nothing is noted.
    """

    def __init__(self, place: Place, hosts: frozenset[str], *, again: bool, rehearse: bool) -> None:
        self._place = place
        self._hosts = hosts
        self._again = again
        self._rehearse = rehearse

    async def look(self, candidates: Mapping[str, Candidate], *, at_once: int) -> Survey:
        """Surveys all of them.

        Raises:
            NotPermittedError: the account may make no call now, nor soon.
            LedgerError: the server does not answer.
            OutputError: the file of what was created cannot be used.
        """
        survey = Survey()
        able = [one for one in candidates.values() if self._is_able(one, survey)]
        noted = await asyncio.to_thread(self._place.journal.read)
        names = [one.reference for one in able]
        claims = await reinstatements.standing(self._place.ledger, self._place.account, names)
        for one in able:
            before = noted.get(one.reference)
            claim = claims.get(one.reference) or await self._adopted(one, before)
            if claim is None:
                survey.to_create.append(one.reference)
            else:
                await self._resolve(one, claim, before, survey)
        await self._read_states(survey, at_once)
        return survey

    def _is_able(self, one: Candidate, survey: Survey) -> bool:
        if one.account != self._place.account or one.host.lower() not in self._hosts:
            survey.leave(one.reference, Fate.UNKNOWN, f"its record is of account {one.account} at {one.host}")
        elif one.cancelled_before:
            survey.leave(one.reference, Fate.CANCELLED_BEFORE)
        elif one.lacks:
            survey.leave(one.reference, Fate.INCOMPLETE, "; ".join(one.lacks))
        else:
            return True
        return False

    async def _adopted(self, one: Candidate, before: Noted | None) -> Claim | None:
        """The attempt that only the file knows: a server that lost its last second has forgotten it."""
        if before is None or before.event is Event.NOT_CREATED:
            return None
        place = self._place
        if not self._rehearse:
            await reinstatements.claim(
                place.ledger, place.account, one.reference, attempt=before.attempt, run=place.run, lease_ms=0
            )
        return Claim(one.reference, ClaimState.SENDING, before.attempt, before.at_ms, before.at_ms)

    async def _resolve(self, one: Candidate, claim: Claim, before: Noted | None, survey: Survey) -> None:
        """Finds out what an earlier attempt has created."""
        if claim.state is ClaimState.MADE:
            survey.fates[one.reference] = of_claim(claim)
            return
        new = before.new if before and before.event is Event.CREATED else None
        if new is None and claim.state is ClaimState.SENDING and claim.until_ms > await self._place.ledger.now_ms():
            survey.fates[one.reference] = of_claim(claim)
            return
        found = None if new else await self._place.search.find(one.reference, one.filters, claim.at_ms)
        new = new or (None if isinstance(found, Unsearchable) or found is None else found.new)
        if new:
            await self._note_made(one, claim, new)
            survey.fates[one.reference] = Reinstatement(one.reference, Fate.ALREADY_CREATED, new)
        elif self._again and claim.until_ms > await self._place.ledger.now_ms():
            survey.leave(one.reference, Fate.UNCONFIRMED, f"its request may still act until {rfc3339(claim.until_ms)}")
        elif self._again:
            survey.to_create.append(one.reference)
            survey.given_up[one.reference] = claim.attempt
        else:
            why = f"{_NOT_FOUND}: {found.why}" if isinstance(found, Unsearchable) else _NOT_FOUND
            survey.leave(one.reference, Fate.UNCONFIRMED, why)

    async def _note_made(self, one: Candidate, claim: Claim, new: str) -> None:
        if self._rehearse:
            return
        place, at_ms = self._place, await self._place.ledger.now_ms()
        write = partial(
            place.journal.write, Event.CREATED, one.reference, claim.attempt, at_ms=at_ms, job=one.job, new=new
        )
        await asyncio.to_thread(write)
        await reinstatements.note_made(place.ledger, place.account, one.reference, claim.attempt, new)

    async def _read_states(self, survey: Survey, at_once: int) -> None:
        """Keeps those that read as cancelled on the platform now."""
        place = self._place
        reader = RecordReader(place.client, place.permit, at_once=at_once, now_ms=await place.ledger.now_ms())
        seen: Sequence[Seen] = (await reader.read(survey.to_create)).seen if survey.to_create else []
        survey.to_create = []
        for one in seen:
            match one.standing:
                case Standing.ALREADY_CANCELLED:
                    survey.to_create.append(one.reference)
                case Standing.OPEN | Standing.MANIFESTED:
                    survey.leave(one.reference, Fate.NOT_CANCELLED, f"it is {one.state}")
                case Standing.NOT_FOUND:
                    survey.leave(one.reference, Fate.UNKNOWN, "the platform does not know it")
                case Standing.UNKNOWN:
                    survey.leave(one.reference, Fate.UNKNOWN, f"its state cannot be read: {one.why}")
