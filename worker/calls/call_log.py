"""The log lines of calls: one for each call, and warnings now and then about the platform's answers."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog

from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.verdicts import Judgement
from cancellist.worker.calls.log_throttle import LogThrottle

log = structlog.get_logger()


class CallLog:
    """Logs the calls of one account."""

    def __init__(self) -> None:
        self._throttle = LogThrottle()

    def surprises(self, claim: Claim, references: Sequence[str], judgement: Judgement) -> None:
        """Warns of references that nobody asked for, and of a changed form of answers."""
        if judgement.unasked:
            log.warning(
                "the platform named references that were not asked for",
                claim=claim.id, asked=len(references), unasked=len(judgement.unasked),
            )  # fmt: skip
        if judgement.changed:
            self.changed_form()

    def changed_form(self) -> None:
        """Warns now and then that answers differ from the documented form."""
        if self._throttle.due("changed") is not None:
            log.warning("the platform's answers have another form than documented; they are read all the same")

    def call(self, claim: Claim, count: int, answer: Answer | Failure, took_s: float) -> None:
        """Logs a call; for each kind of failure a warning now and then."""
        facts = {"kind": claim.kind, "references": count, "ms": round(took_s * 1000), "claim": claim.id}
        match answer:
            case Failure(reason=reason, withheld=True):  # we sent nothing; the reason is logged elsewhere
                log.debug("call withheld", reason=reason, **facts)
            case Failure(reason=reason, written=written):
                self._warn(claim, "call failed", reason, {"reason": reason, "written": written, **facts})
            case Answer(status=status) if status >= HTTPStatus.BAD_REQUEST and claim.kind != "reads":
                self._warn(claim, "call refused", status, {"status": status, **facts})
            case Answer(status=status):
                log.debug("call", status=status, **facts)

    def _warn(self, claim: Claim, event: str, why: str | int, facts: dict[str, Any]) -> None:
        untold = None if claim.probe else self._throttle.due((event, why))
        if untold is None:
            log.debug(event, **facts)
        else:
            log.warning(event, **facts, **({"like_it_before": untold} if untold else {}))
