"""Judges the deallocation that comes before the cancelling call, for accounts that need one."""

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
    """Whether a consignment is allocated, and no carrier has it yet.

    Source: the platform's public guide allows deallocation in Allocated, Manifested and ManifestFailed. ReadyToShip is
    tried as well: if the platform refuses it, the consignment is unchanged.
    """
    return letters(state) in _ALLOCATED


@dataclass(frozen=True, slots=True)
class Deallocation:
    """The outcome of a deallocation.

    Attributes:
        stopped: verdicts of the references that must not be cancelled now.
        done: references that were deallocated, or may have been.
    """

    stopped: Mapping[str, Verdict] = field(default_factory=dict)
    done: frozenset[str] = frozenset()

    def joined(self, judgement: Judgement) -> Judgement:
        """The judgement of the cancelling call, with the verdicts of the references that were stopped before it."""
        return Judgement(
            judgement.common, {**judgement.others, **self.stopped}, judgement.unasked, changed=judgement.changed
        )


NOTHING = Deallocation()


def judge_deallocation(references: Sequence[str], answer: Answer | Failure) -> Deallocation:
    """Judges which references may be cancelled after a deallocation.

    A deallocation cancels nothing, so a reference that it stops is `Untaken`. A reference that it refuses by name goes
    on to the cancelling call, whose answer decides. A reference that the answer does not name is tried again. After an
    unclear answer every reference may have been deallocated.
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
    """Whether each reference that an answer names was deallocated."""
    named: dict[str, bool] = {}
    for item in items_of(body) or ():
        data = answer_forms.field(item, "Data") if isinstance(item, dict) else None
        if isinstance(data, str) and isinstance(item, dict):
            named[normalise(data)] = answer_forms.field(item, "IsSuccess") is True
    return named
