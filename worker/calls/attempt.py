"""One attempt: makes one call for a claim, and decides the next step of each reference."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from cancellist.jobs.flow.batch_size import listed
from cancellist.jobs.flow.signals import AttemptSignal, Signal, shown_by
from cancellist.jobs.ledger.claims import Claim, Part, Share
from cancellist.jobs.model import Piece
from cancellist.jobs.responses.after_reading import after_reading
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.answer_forms import is_documented_status
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.deallocation import NOTHING, Deallocation
from cancellist.jobs.responses.refusal_texts import Observed, RefusalTexts, fingerprint, meant_by
from cancellist.jobs.responses.retry_policy import (
    RetryPolicy,
    after_call,
    after_known_refusal,
    after_lone_probe,
    suspected,
    to_be_confirmed,
    told_deallocated,
)
from cancellist.jobs.responses.status_read import Found, Reading, Unknown, Unread, judge_reading
from cancellist.jobs.responses.steps import CallAgain, ReadState, Step
from cancellist.jobs.responses.verdicts import Confirmed, Judgement, Refused, Verdict
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.calls.call_log import CallLog
from cancellist.worker.calls.deallocation import prepare
from cancellist.worker.calls.failed_call import hold, not_confirmed, trouble
from cancellist.worker.calls.isolation import fails_itself, groups_of, in_vain
from cancellist.worker.calls.record_keeping import RecordKeeper
from cancellist.worker.platform.client import MaySend, PlatformClient

_TYPICAL_S, _SMOOTHING = 0.05, 0.1


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of one call, and of the deallocation before it.

    Attributes:
        answer: the last answer or failure.
        judgement: the verdict for each reference.
        answered: whether the answer is about the references.
        sent: the number of references that the cancelling call named.
        deallocation: the outcome of the deallocation.
        before: the answer that stopped some references before the cancelling call; None where none was stopped.
    """

    answer: Answer | Failure
    judgement: Judgement
    answered: bool
    sent: int = 0
    deallocation: Deallocation = NOTHING
    before: Answer | Failure | None = None

    @property
    def unnamed(self) -> bool:
        """Whether the answer has no body, and so names no reference."""
        return isinstance(self.answer, Answer) and self.answer.body is None


class Attempt:
    """Makes calls for one account, one for each claim that it is given."""

    def __init__(
        self,
        client: PlatformClient,
        policy: RetryPolicy,
        *,
        lease_s: float,
        deallocate_first: bool = False,
        keeper: RecordKeeper | None = None,
        known: RefusalTexts = RefusalTexts(),  # noqa: B008 - frozen
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._policy = policy
        self._rest_s = min(policy.call_timeout_s, lease_s)
        self._jitter = jitter
        self._deallocate_first = deallocate_first
        self._keeper = keeper or RecordKeeper(client, None, "", "")
        self._mean_s = _TYPICAL_S
        self._call_log = CallLog()
        self._known_words = known
        self._observed = Observed()

    async def __call__(self, claim: Claim, may_send: MaySend) -> AttemptResult:
        """Calls the platform for a claim, and judges the answer.

        Args:
            claim: the references for one call.
            may_send: asked before each request, whether the claim's lease and the account's gate allow it.
        """
        return await (self._read(claim, may_send) if claim.kind == "reads" else self._cancel(claim, may_send))

    async def _cancel(self, claim: Claim, may_send: MaySend) -> AttemptResult:
        started, references = monotonic(), claim.references
        called = await self._call_kept(claim, may_send) if claim.kept else await self._call(references, may_send)
        answer, judgement = called.answer, called.judgement
        if claim.probe:
            judgement = judgement.uncounted()
        took_s = monotonic() - started
        shown = self._shown(answer, took_s, answered=called.answered)
        self._call_log.surprises(claim, references, judgement)
        self._call_log.call(claim, len(references), answer, took_s)
        if fails_itself(claim, references, judgement, self._policy):
            judgement = judgement.uncounted()
        hold_s, hold_why = max(hold(answer), hold(called.before), key=lambda held: held[0])
        own = not claim.probe and any(suspected(part.piece, judgement.common) for part in claim.parts)
        wait_s = 0.0
        if own:  # others succeed, so the failure is not the account's: only these references wait
            shown, wait_s, hold_s, hold_why = None, min(hold_s, self._policy.cap_s), 0.0, None
        wrong = not_confirmed(references, judgement)
        shares = self._after_call(claim, replace(called, judgement=judgement), wait_s)
        return AttemptResult(
            self._other_way(claim, shares, in_vain=in_vain(judgement)),
            shown,
            rest_s=self._rest_of(answer, shown),
            hold_s=hold_s,
            hold_why=hold_why,
            slow_s=0.0 if own or claim.probe or shown is None or shown.sign is Signal.DENIED else self._slow_s(),
            listed=listed(called.sent, answer),
            trouble=trouble(claim, wrong, answer, took_s) if wrong else None,
        )

    async def _call_kept(self, claim: Claim, may_send: MaySend) -> CallOutcome:
        """Makes one cancelling call for the references whose records were kept."""
        kept = await self._keeper.keep(claim, may_send)
        left = [r for r in claim.references if r not in kept.stopped]
        if not left and kept.answer is not None:
            return CallOutcome(kept.answer, Judgement(next(iter(kept.stopped.values())), kept.stopped), kept.answered)
        called = await self._call(left, may_send)
        judgement = Deallocation(kept.stopped).joined(called.judgement)
        return replace(called, judgement=judgement, before=kept.answer or called.before)

    async def _call(self, references: Sequence[str], may_send: MaySend) -> CallOutcome:
        """Makes one cancelling call, after a deallocation where the account needs one."""
        if not self._deallocate_first:
            return await self._call_for(references, may_send)
        prepared = await prepare(self._client, references, may_send)
        stopped = prepared.deallocation.stopped
        left = [r for r in references if r not in stopped]
        if not left and prepared.answer is not None:
            judgement = Judgement(next(iter(stopped.values())), dict(stopped))
            return CallOutcome(prepared.answer, judgement, prepared.answered, deallocation=prepared.deallocation)
        called = await self._call_for(left, may_send)
        judgement = prepared.deallocation.joined(called.judgement)
        return replace(called, judgement=judgement, deallocation=prepared.deallocation, before=prepared.answer)

    async def _call_for(self, references: Sequence[str], may_send: MaySend) -> CallOutcome:
        answer = await self._client.cancel(references, may_send)
        judgement = judge(references, answer, single=len(references) == 1)
        return CallOutcome(answer, judgement, judgement.answered, len(references))

    async def _read(self, claim: Claim, may_send: MaySend) -> AttemptResult:
        started, reference, piece = monotonic(), claim.references[0], claim.parts[0].piece
        alone = piece.reads > 0
        answer = await self._client.status(reference, may_send, alone=alone)
        took_s = monotonic() - started
        since_s = (claim.server_ms - piece.called_ms) / 1000 + took_s if piece.called_ms else 0.0
        reading = judge_reading(reference, answer, since_call_s=since_s, doubted=piece.maybe_sent)
        if isinstance(reading, Unknown) and not alone:
            # A 404 names no reference. On a kept connection it may be the late answer to another read.
            reading = Unread("HTTP 404, to be asked for on a connection of its own", reading.status, answered=True)
        unread = isinstance(reading, Unread) and not reading.answered
        in_vain = isinstance(reading, Unread) and unread and reading.counted
        if claim.probe and isinstance(reading, Unread):
            reading = replace(reading, counted=False)
        self._call_log.call(claim, 1, answer, took_s)
        if isinstance(reading, Found) and isinstance(answer, Answer) and not is_documented_status(answer.body):
            self._call_log.changed_form()
        shown = shown_by(answer, took_s * 1000, answered=not unread)
        hold_s, hold_why = hold(answer)
        if isinstance(reading, Unread) and reading.alone_after and piece.reads_alone and not claim.probe:
            shown, hold_s, hold_why = None, 0.0, None  # other reads succeed, so the failure is not the account's
        return AttemptResult(
            self._other_way(claim, self._after_reading(claim, reading), in_vain=in_vain),
            shown,
            rest_s=self._rest_of(answer, shown),
            hold_s=hold_s,
            hold_why=hold_why,
            learnt=self._learnt(piece, reference, reading),
            trouble=trouble(claim, [reference], answer, took_s) if isinstance(reading, Unread) else None,
        )

    def _shown(self, answer: Answer | Failure, took_s: float, *, answered: bool) -> AttemptSignal | None:
        shown = shown_by(answer, took_s * 1000, answered=answered)
        if shown and shown.sign is Signal.ACCEPTED:
            self._mean_s += _SMOOTHING * (took_s - self._mean_s)
        return shown

    def _rest_of(self, answer: Answer | Failure, shown: AttemptSignal | None) -> float:
        """How long the slot stays taken: the platform may still work on the call, or refused it as too early."""
        if isinstance(answer, Failure) and answer.written:
            return self._rest_s
        return min(self._rest_s, self._mean_s) if shown and shown.sign is Signal.REFUSED else 0.0

    def _slow_s(self) -> float:
        """The pause before retries once the retry budget is spent."""
        return self._policy.cap_s * (1 + self._jitter()) / 2

    def _after_call(self, claim: Claim, called: CallOutcome, wait_s: float) -> list[list[Share]]:
        judgement, references = called.judgement, claim.references
        groups = groups_of(claim, references, judgement, self._policy)
        jitter = self._jitter()
        shares = [self._shares(claim, part, called, groups, jitter) for part in claim.parts]
        return [[_waiting(share, wait_s) for share in own] for own in shares] if wait_s else shares

    def _shares(
        self, claim: Claim, part: Part, called: CallOutcome, groups: Mapping[str, int], jitter: float
    ) -> list[Share]:
        piece, judgement, lone = part.piece, called.judgement, len(claim.references) == 1
        left_s, deallocated = _unclear_left_s(piece, claim), called.deallocation.done
        alike = not (judgement.others or groups or deallocated)
        if alike and not isinstance(judgement.common, Refused):
            step = self._step(piece, judgement.common, jitter, left_s, lone=lone, unnamed=called.unnamed)
            return [Share(step, None, len(piece.references))]
        shares: dict[Step, list[str]] = {}
        for reference in piece.references:
            of_it = replace(piece, deallocated=True) if reference in deallocated else piece
            step = self._step(of_it, judgement.of(reference), jitter, left_s, lone=lone, unnamed=called.unnamed)
            if isinstance(step, CallAgain) and groups:
                step = replace(step, group=groups[reference])
            shares.setdefault(step, []).append(reference)
        return [Share(step, tuple(named), len(named)) for step, named in shares.items()]

    def _step(self, piece: Piece, verdict: Verdict, jitter: float, left_s: float, *, lone: bool, unnamed: bool) -> Step:
        """The next step of a reference. A refusal text with a meaning set by the user replaces the read."""
        step: Step | None = None
        if unnamed and piece.in_trouble and isinstance(verdict, Confirmed):
            step = to_be_confirmed(piece)
        if isinstance(verdict, Refused):
            meaning = self._known_words.meaning(verdict.message)
            if meaning is not None:
                step = after_known_refusal(replace(piece, named=piece.named + 1), verdict, meaning)
        step = step or after_call(piece, verdict, self._policy, jitter, left_s, lone=lone)
        return told_deallocated(step) if piece.deallocated else step

    def _after_reading(self, claim: Claim, reading: Reading) -> list[list[Share]]:
        shares: list[list[Share]] = []
        for part in claim.parts:
            left_s = _unclear_left_s(part.piece, claim)
            step = after_reading(part.piece, reading, self._policy, self._jitter(), left_s)
            shares.append([Share(told_deallocated(step) if part.piece.deallocated else step, None, 1)])
        return shares

    def _other_way(self, claim: Claim, shares: list[list[Share]], *, in_vain: bool) -> list[list[Share]]:
        """Has a lone reference whose probe failed tried at the other endpoint next."""
        if not (claim.probe and in_vain and len(claim.references) == 1):
            return shares
        return [
            [replace(share, step=after_lone_probe(part.piece, share.step, self._policy)) for share in own]
            for part, own in zip(claim.parts, shares, strict=True)
        ]

    def _learnt(self, piece: Piece, reference: str, reading: Reading) -> tuple[str, str] | None:
        """What a read found behind the refusal text that led to it. `explain --words` shows it."""
        meant, said = meant_by(reading), piece.refusal_words
        if piece.maybe_sent or not said or meant is None:  # a state that our own call changed does not explain a text
            return None
        print_ = fingerprint(said, reference)
        return (print_, meant) if self._observed.worth_telling(print_, meant) else None


def _waiting(share: Share, wait_s: float) -> Share:
    """A share with a delay of at least `wait_s`."""
    match share.step:
        case CallAgain(delay_s=delay_s) | ReadState(delay_s=delay_s):
            return replace(share, step=replace(share.step, delay_s=max(delay_s, wait_s)))
        case _:
            return share


def _unclear_left_s(piece: Piece, claim: Claim) -> float:
    """How long an earlier unclear call could still act when this call started, by the server's clock.

    A claim may have been staged for a while after its grant. That only makes this longer than needed.
    """
    return max(0.0, (piece.unclear_until_ms - claim.server_ms) / 1000) if piece.maybe_sent else 0.0
