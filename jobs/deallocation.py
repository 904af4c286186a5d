"""What a deallocation that comes before the cancelling call says, for accounts that need one."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.outcomes import CONFIRMING, Answer, Failure, judge_error
from jobs.references import normalise
from jobs.verdicts import Judgement, Refused, Unclear, Untaken, Verdict


@dataclass(frozen=True, slots=True)
class Deallocation:
    """What the deallocation that comes first says: `verdict` for those in `stopped`; the others may be cancelled."""

    verdict: Verdict
    stopped: frozenset[str]

    def of(self, reference: str) -> Verdict | None:
        """What stops a reference; None where its cancelling call may follow."""
        return self.verdict if reference in self.stopped else None

    def joined(self, judgement: Judgement) -> Judgement:
        """The judgement of the cancelling call of the others, and of those that were stopped."""
        stopped = dict.fromkeys(self.stopped, self.verdict)
        return Judgement(judgement.common, {**judgement.others, **stopped}, judgement.unasked)


def judge_deallocation(references: Sequence[str], answer: Answer | Failure) -> Deallocation:
    """Says which references may be cancelled after a deallocation.

    It cancels nothing, so that what it stops is untaken. A reference that it refuses by name goes on: it was not
    allocated, and cancelling says the rest. One that it does not name is asked for again.
    """
    everyone = frozenset(references)
    match answer:
        case Failure(reason=reason, written=written, withheld=withheld):
            return Deallocation(Untaken(f"deallocating: {reason}", counted=written, withheld=withheld), everyone)
        case Answer(status=status, body=list() as body) if status in CONFIRMING:
            named = {normalise(i["Data"]) for i in body if isinstance(i, dict) and isinstance(i.get("Data"), str)}
            return Deallocation(Untaken("the deallocation does not name it", status), everyone - named)
        case Answer():
            verdict = judge_error(answer, single=len(references) == 1)
            if isinstance(verdict, Refused):
                return Deallocation(verdict, frozenset())
            if isinstance(verdict, Unclear):
                verdict = Untaken(f"deallocating: {verdict.reason}", answer.status, counted=verdict.counted)
            return Deallocation(verdict, everyone)
