"""One attempt: a claim in, one call to the platform, and where each of its references goes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic

import structlog

from jobs.ledger.claims import Claim, Part, Share
from jobs.model import Piece
from jobs.outcomes import Answer, Failure, Judgement, judge, judge_reading
from jobs.retry import RetryPolicy, Step, after_call, after_reading
from worker.platform.client import PlatformClient

log = structlog.get_logger()

_REFUSED_KEY_HOLD_S = 5.0
_NO_CONNECTION_HOLD_S = (0.1, 3.0)
_OVERLOADED_HOLD_S = 0.25


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: shares for each part of the claim, how long its slot rests, how long the account holds."""

    parts: Sequence[Sequence[Share]]
    rest_s: float = 0.0
    hold_s: float = 0.0


class Attempt:
    """Makes calls for one account, one at a time as it is asked to."""

    def __init__(
        self,
        client: PlatformClient,
        policy: RetryPolicy,
        *,
        lease_s: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._policy = policy
        self._rest_s = min(policy.call_timeout_s, lease_s)
        self._jitter = jitter
        self._unconnected = 0

    async def __call__(self, claim: Claim) -> Ended:
        """Calls the platform for a claim and judges what came back."""
        started = monotonic()
        references = claim.references
        if claim.kind == "reads":
            answer = await self._client.status(references[0])
            parts = self._after_reading(claim, references[0], answer)
        else:
            answer = await self._client.cancel(references)
            judgement = judge(references, answer, single=len(references) == 1)
            parts = [self._after_call(claim, part, judgement) for part in claim.parts]
            self._note(claim, references, judgement)
        rest_s = self._rest_s if isinstance(answer, Failure) and answer.written else 0.0
        self._log(claim, len(references), answer, monotonic() - started)
        return Ended(parts, rest_s, self._hold_s(answer))

    def _after_call(self, claim: Claim, part: Part, judgement: Judgement) -> list[Share]:
        piece, left_s = part.piece, _unclear_left_s(part.piece, claim)
        if not judgement.others:
            step = after_call(piece, judgement.common, self._policy, self._jitter(), left_s)
            return [Share(step, None, len(piece.references))]
        jitter = self._jitter()
        groups: dict[Step, list[str]] = {}
        for reference in piece.references:
            step = after_call(piece, judgement.of(reference), self._policy, jitter, left_s)
            groups.setdefault(step, []).append(reference)
        return [Share(step, tuple(references), len(references)) for step, references in groups.items()]

    def _after_reading(self, claim: Claim, reference: str, answer: Answer | Failure) -> list[list[Share]]:
        reading = judge_reading(reference, answer)
        return [
            [
                Share(
                    after_reading(
                        part.piece, reading, self._policy, self._jitter(), _unclear_left_s(part.piece, claim)
                    ),
                    None,
                    1,
                )
            ]
            for part in claim.parts
        ]

    def _hold_s(self, answer: Answer | Failure) -> float:
        """For how long the account should make no call."""
        match answer:
            case Answer(status=429 | 503, retry_after_s=float(seconds)):
                return seconds
            case Answer(status=429):
                return _OVERLOADED_HOLD_S * self._jitter()
            case Answer(status=401 | 403):
                return _REFUSED_KEY_HOLD_S
            case Failure(written=False):
                self._unconnected += 1
                first, most = _NO_CONNECTION_HOLD_S
                return min(most, first * 2.0 ** min(self._unconnected, 10))
            case _:
                self._unconnected = 0
                return 0.0

    def _note(self, claim: Claim, references: Sequence[str], judgement: Judgement) -> None:
        if judgement.unasked:
            log.warning(
                "the platform named references that were not asked for",
                claim=claim.id, asked=len(references), unasked=len(judgement.unasked),
            )  # fmt: skip

    def _log(self, claim: Claim, count: int, answer: Answer | Failure, took_s: float) -> None:
        """The canonical line of a call; a failure is worth a warning, a success only a line for the curious."""
        facts = {"kind": claim.kind, "references": count, "ms": round(took_s * 1000), "claim": claim.id}
        match answer:
            case Failure(reason=reason, written=written):
                log.warning("call failed", reason=reason, written=written, **facts)
            case Answer(status=status) if status >= HTTPStatus.BAD_REQUEST and claim.kind == "calls":
                log.warning("call refused", status=status, **facts)
            case Answer(status=status):
                log.debug("call", status=status, **facts)


def _unclear_left_s(piece: Piece, claim: Claim) -> float:
    """For how long, when the call started, an earlier unclear call could still act, by the server's clock.

    The claim may have been staged for a while since it was granted: that only makes this longer than need be.
    """
    return max(0.0, (piece.unclear_until_ms - claim.server_ms) / 1000) if piece.maybe_sent else 0.0
