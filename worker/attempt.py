"""One attempt: a claim in, one call to the platform, and where each of its references goes."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from time import monotonic
from typing import Any

import structlog

from jobs.deallocation import judge_deallocation
from jobs.ledger.claims import Claim, Part, Share
from jobs.ledger.history import TroubledCall
from jobs.listsize import listed
from jobs.model import Piece
from jobs.outcomes import Answer, Failure, correlation_id, judge, words_of
from jobs.readings import Reading, Unread, judge_reading
from jobs.retry import (
    CallAgain,
    RetryPolicy,
    Settle,
    Step,
    after_call,
    after_known_refusal,
    after_lone_probe,
    after_reading,
)
from jobs.signs import Shown, Sign, shown_by
from jobs.verdicts import Confirmed, Judgement, Refused, Verdict
from jobs.words import Lexicon, fingerprint, meant_by, sampled
from worker.ended import Ended
from worker.isolation import failed, fails_itself, groups_of
from worker.platform.client import MaySend, PlatformClient
from worker.telling import Telling

log = structlog.get_logger()

_TYPICAL_S, _SMOOTHING = 0.05, 0.1


class Attempt:
    """Makes calls for one account, one at a time as it is asked to."""

    def __init__(
        self,
        client: PlatformClient,
        policy: RetryPolicy,
        *,
        lease_s: float,
        deallocate_first: bool = False,
        lexicon: Lexicon = Lexicon(),  # noqa: B008 - frozen
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._policy = policy
        self._rest_s = min(policy.call_timeout_s, lease_s)
        self._jitter = jitter
        self._deallocate_first = deallocate_first
        self._mean_s = _TYPICAL_S
        self._telling = Telling()
        self._lexicon = lexicon

    @property
    def lexicon(self) -> Lexicon:
        """What is known of the platform's words."""
        return self._lexicon

    @lexicon.setter
    def lexicon(self, learnt: Lexicon) -> None:
        self._lexicon = learnt.keeping_doubts(self._lexicon)

    async def __call__(self, claim: Claim, may_send: MaySend) -> Ended:
        """Calls the platform for a claim and judges what came back.

        Args:
            claim: references to be named by one call.
            may_send: whether a request may be sent under the claim's lease and the account's gate.
        """
        return await (self._read(claim, may_send) if claim.kind == "reads" else self._cancel(claim, may_send))

    async def _cancel(self, claim: Claim, may_send: MaySend) -> Ended:
        started, references = monotonic(), claim.references
        answer, judgement = await self._call(references, may_send)
        if claim.probe:
            judgement = judgement.uncounted()
        took_s = monotonic() - started
        shown = self._shown(answer, took_s)
        self._note(claim, references, judgement)
        self._log(claim, len(references), answer, took_s)
        if fails_itself(claim, references, answer, judgement, self._policy):
            judgement = judgement.uncounted()
        unconfirmed = _unconfirmed(references, judgement)
        hold_s, hold_why = _hold(answer)
        return Ended(
            self._other_way(claim, answer, self._after_call(claim, references, answer, judgement)),
            shown,
            rest_s=self._rest_of(answer, shown),
            hold_s=hold_s,
            hold_why=hold_why,
            slow_s=0.0 if claim.probe or shown is None or shown.sign is Sign.DENIED else self._slow_s(),
            listed=listed(len(references), answer),
            trouble=_trouble(claim, unconfirmed, answer, took_s) if unconfirmed else None,
        )

    async def _call(self, references: Sequence[str], may_send: MaySend) -> tuple[Answer | Failure, Judgement]:
        """One cancelling call, with a deallocating one before it where the account wants that."""
        if self._deallocate_first:
            first = await self._client.deallocate(references, may_send)
            deallocation = judge_deallocation(references, first)
            left = [r for r in references if deallocation.of(r) is None]
            if not left:
                return first, Judgement(deallocation.verdict, {})
            answer = await self._client.cancel(left, may_send)
            judgement = judge(left, answer, single=len(left) == 1)
            return answer, deallocation.joined(judgement)
        answer = await self._client.cancel(references, may_send)
        return answer, judge(references, answer, single=len(references) == 1)

    async def _read(self, claim: Claim, may_send: MaySend) -> Ended:
        started, reference = monotonic(), claim.references[0]
        known = self._learnt_meanwhile(claim, reference)
        if known:
            return Ended(known, unspent=True)
        answer = await self._client.status(reference, may_send)
        took_s = monotonic() - started
        reading = judge_reading(reference, answer)
        if claim.probe and isinstance(reading, Unread):
            reading = replace(reading, counted=False)
        self._log(claim, 1, answer, took_s)
        shown = shown_by(answer, took_s * 1000)
        hold_s, hold_why = _hold(answer)
        return Ended(
            self._other_way(claim, answer, self._after_reading(claim, reading)),
            shown,
            rest_s=self._rest_of(answer, shown),
            hold_s=hold_s,
            hold_why=hold_why,
            learnt=self._learn(claim, reference, reading),
            trouble=_trouble(claim, [reference], answer, took_s) if isinstance(reading, Unread) else None,
        )

    def _shown(self, answer: Answer | Failure, took_s: float) -> Shown | None:
        shown = shown_by(answer, took_s * 1000)
        if shown and shown.sign is Sign.ACCEPTED:
            self._mean_s += _SMOOTHING * (took_s - self._mean_s)
        return shown

    def _rest_of(self, answer: Answer | Failure, shown: Shown | None) -> float:
        """How long the slot rests: the platform may still be at work, or has refused what it must not get at once."""
        if isinstance(answer, Failure) and answer.written:
            return self._rest_s
        return min(self._rest_s, self._mean_s) if shown and shown.sign is Sign.REFUSED else 0.0

    def _slow_s(self) -> float:
        """The pause before retries once the budget for them is spent."""
        return self._policy.cap_s * (1 + self._jitter()) / 2

    def _after_call(
        self, claim: Claim, references: Sequence[str], answer: Answer | Failure, judgement: Judgement
    ) -> list[list[Share]]:
        groups, jitter = groups_of(claim, references, answer, judgement, self._policy), self._jitter()
        return [self._shares(claim, part, judgement, groups, jitter) for part in claim.parts]

    def _shares(
        self, claim: Claim, part: Part, judgement: Judgement, groups: Mapping[str, int], jitter: float
    ) -> list[Share]:
        piece, left_s = part.piece, _unclear_left_s(part.piece, claim)
        if not judgement.others and not groups and not isinstance(judgement.common, Refused):
            step = after_call(piece, judgement.common, self._policy, jitter, left_s)
            return [Share(step, None, len(piece.references))]
        shares: dict[Step, list[str]] = {}
        for reference in piece.references:
            step = self._step(piece, reference, judgement.of(reference), jitter, left_s)
            if isinstance(step, CallAgain) and groups:
                step = replace(step, group=groups[reference])
            shares.setdefault(step, []).append(reference)
        return [Share(step, tuple(named), len(named)) for step, named in shares.items()]

    def _step(self, piece: Piece, reference: str, verdict: Verdict, jitter: float, left_s: float) -> Step:
        """Trusted words stand for a read, but for a sample."""
        if isinstance(verdict, Refused):
            known = self._known(replace(piece, named=piece.named + 1), reference, verdict)
            if known:
                return known
        return after_call(piece, verdict, self._policy, jitter, left_s)

    def _known(self, piece: Piece, reference: str, refused: Refused) -> Settle | None:
        meaning = self.lexicon.meaning(refused.message, reference)
        if meaning is None or sampled(reference, piece.named):
            return None
        return after_known_refusal(piece, refused, meaning)

    def _learnt_meanwhile(self, claim: Claim, reference: str) -> list[list[Share]] | None:
        """Results of a refusal whose words have become trusted since it was queued to be read; None: read it."""
        shares: list[list[Share]] = []
        for part in claim.parts:
            piece = part.piece
            if piece.refusal_status is None or piece.reads:
                return None
            refused = Refused(piece.refusal_status, piece.refusal_words)
            known = self._known(piece, reference, refused)
            if known is None:
                return None
            shares.append([Share(known, None, 1)])
        return shares

    def _after_reading(self, claim: Claim, reading: Reading) -> list[list[Share]]:
        shares: list[list[Share]] = []
        for part in claim.parts:
            left_s = _unclear_left_s(part.piece, claim)
            shares.append([Share(after_reading(part.piece, reading, self._policy, self._jitter(), left_s), None, 1)])
        return shares

    def _other_way(self, claim: Claim, answer: Answer | Failure, shares: list[list[Share]]) -> list[list[Share]]:
        """Has a lone reference at which a probe has failed asked for by the other endpoint next."""
        if not (claim.probe and failed(answer) and len(claim.references) == 1):
            return shares
        return [
            [replace(share, step=after_lone_probe(part.piece, share.step, self._policy)) for share in own]
            for part, own in zip(claim.parts, shares, strict=True)
        ]

    def _learn(self, claim: Claim, reference: str, reading: Reading) -> tuple[str, str] | None:
        """What the reading teaches about the words of the refusal that led to it; this process knows at once."""
        piece, meant = claim.parts[0].piece, meant_by(reading)
        words = piece.refusal_words
        if piece.maybe_sent or not words or meant is None:  # what a call of ours has changed says nothing of the words
            return None
        print_ = fingerprint(words, reference)
        self._lexicon = self._lexicon.agreeing(print_, meant)
        return print_, meant

    def _note(self, claim: Claim, references: Sequence[str], judgement: Judgement) -> None:
        if judgement.unasked:
            log.warning(
                "the platform named references that were not asked for",
                claim=claim.id, asked=len(references), unasked=len(judgement.unasked),
            )  # fmt: skip

    def _log(self, claim: Claim, count: int, answer: Answer | Failure, took_s: float) -> None:
        """The canonical line of a call: a warning for each kind of failure now and then."""
        facts = {"kind": claim.kind, "references": count, "ms": round(took_s * 1000), "claim": claim.id}
        match answer:
            case Failure(reason=reason, written=written):
                self._warn(claim, "call failed", reason, {"reason": reason, "written": written, **facts})
            case Answer(status=status) if status >= HTTPStatus.BAD_REQUEST and claim.kind != "reads":
                self._warn(claim, "call refused", status, {"status": status, **facts})
            case Answer(status=status):
                log.debug("call", status=status, **facts)

    def _warn(self, claim: Claim, event: str, why: str | int, facts: dict[str, Any]) -> None:
        untold = None if claim.probe else self._telling.due((event, why))
        if untold is None:
            log.debug(event, **facts)
        else:
            log.warning(event, **facts, **({"like_it_before": untold} if untold else {}))


def _hold(answer: Answer | Failure) -> tuple[float, str | None]:
    """For how long the platform asks the account to make no call, and why."""
    match answer:
        case Answer(status=status, retry_after_s=float(seconds)):
            return seconds, f"the platform asked to wait (HTTP {status}, Retry-After)"
        case _:
            return 0.0, None


def _unconfirmed(references: Sequence[str], judgement: Judgement) -> list[str]:
    if not judgement.others and isinstance(judgement.common, Confirmed):
        return []
    return [r for r in references if not isinstance(judgement.of(r), Confirmed)]


def _trouble(claim: Claim, references: Sequence[str], answer: Answer | Failure, took_s: float) -> TroubledCall:
    took_ms, troubled = round(took_s * 1000), set(references)
    named: dict[str, list[str]] = {}
    for part in claim.parts:
        named.setdefault(part.job, []).extend(r for r in part.piece.references if r in troubled)
    match answer:
        case Failure(reason=reason):
            return TroubledCall(claim.kind, None, reason, None, took_ms, named)
        case Answer(status=status, body=body):
            reason = words_of(body) or "not every reference was confirmed"
            return TroubledCall(claim.kind, status, reason, correlation_id(body), took_ms, named)


def _unclear_left_s(piece: Piece, claim: Claim) -> float:
    """For how long, when the call started, an earlier unclear call could still act, by the server's clock.

    The claim may have been staged for a while since it was granted: that only makes this longer than need be.
    """
    return max(0.0, (piece.unclear_until_ms - claim.server_ms) / 1000) if piece.maybe_sent else 0.0
