"""What a deallocation that comes before the cancelling call says, for accounts that need one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses import answer_forms
from cancellist.jobs.responses.answer import CONFIRMING, Answer, Failure
from cancellist.jobs.responses.answer_forms import items_of, letters
from cancellist.jobs.responses.cancellation import judge_error
from cancellist.jobs.responses.verdicts import Judgement, Refused, Unclear, Untaken, Verdict

_ALLOCATED = frozenset({"allocated", "readytoship", "manifestfailed"})


def is_allocated(state: str) -> bool:
    """Whether a consignment has an allocation, and no carrier has it yet.

    The platform's public guide lets it be deallocated in Allocated, Manifested and ManifestFailed. ReadyToShip is tried
    as well: what the platform then refuses to deallocate is still as it was.
    """
    return letters(state) in _ALLOCATED


@dataclass(frozen=True, slots=True)
class Deallocation:
    """What came of deallocating.

    Attributes:
        stopped: the verdicts of those whose cancelling call may not follow.
        done: those that were deallocated, or may have been.
    """

    stopped: Mapping[str, Verdict] = field(default_factory=dict)
    done: frozenset[str] = frozenset()

    def joined(self, judgement: Judgement) -> Judgement:
        """The judgement of the cancelling call of the others, and of those that were stopped."""
        return Judgement(
            judgement.common, {**judgement.others, **self.stopped}, judgement.unasked, changed=judgement.changed
        )


NOTHING = Deallocation()


def judge_deallocation(references: Sequence[str], answer: Answer | Failure) -> Deallocation:
    """Says which references may be cancelled after a deallocation.

    It cancels nothing, so that what it stops is untaken. A reference that it refuses by name goes on: cancelling says
    the rest. One that it does not name is asked for again. Where the answer is unclear, it may have acted.
    """
    everyone = frozenset(references)
    match answer:
        case Failure(reason=reason, written=written, withheld=withheld):
            verdict: Verdict = Untaken(f"deallocating: {reason}", counted=written, withheld=withheld)
            return Deallocation(dict.fromkeys(everyone, verdict), everyone if written else frozenset())
        case Answer(status=status, body=None) if status in CONFIRMING and len(references) == 1:
            return Deallocation({}, everyone)
        case Answer(status=status) if status in CONFIRMING:
            named = _named(answer.body)
            verdict = Untaken("the deallocation does not name it", status)
            done = frozenset(reference for reference, success in named.items() if success)
            return Deallocation(dict.fromkeys(everyone - named.keys(), verdict), done | (everyone - named.keys()))
        case Answer():
            verdict = judge_error(answer, single=len(references) == 1)
            if isinstance(verdict, Refused):
                return Deallocation()
            done = frozenset[str]()
            if isinstance(verdict, Unclear):
                done = everyone
                verdict = Untaken(
                    f"deallocating: {verdict.reason}", answer.status, counted=verdict.counted,
                    alone_after=verdict.alone_after,
                )  # fmt: skip
            return Deallocation(dict.fromkeys(everyone, verdict), done)


def _named(body: object) -> dict[str, bool]:
    """The references that an answer names, and whether each was deallocated."""
    named: dict[str, bool] = {}
    for item in items_of(body) or ():
        data = answer_forms.field(item, "Data") if isinstance(item, dict) else None
        if isinstance(data, str) and isinstance(item, dict):
            named[normalise(data)] = answer_forms.field(item, "IsSuccess") is True
    return named
