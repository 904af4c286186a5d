"""The closed set of verdicts: what one cancelling call means for a reference that it named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

NO_ANSWER, OF_THE_CALLER = 1, 3
"""After how many failures in a row, with successes of other references in between, the references themselves are held
to be the cause: for a failure without an answer of the platform, and for an answer about the caller (401, 403, 429),
which may come a few times by chance."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The platform confirmed the cancellation."""

    status: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform refused this reference. A read of its state has to show why."""

    status: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """The platform may have acted without confirming it.

    `counted` says whether this burns an attempt. `ended` says that the call was answered and can act no more.
    `alone_after` is as for `Untaken`.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    ended: bool = False
    alone_after: int = 0


@dataclass(frozen=True, slots=True)
class Untaken:
    """The platform did not act.

    `counted` says whether this burns an attempt. `withheld` says that we sent nothing, so it is tried again at once.
    `sent` says whether a request named the reference, so that it counts among its calls. `alone_after`, if not 0, says
    that the account or the platform is held to be the cause at first, and no attempt is burnt. After that many failures
    in a row, with successes of other references in between, the references are held to be the cause. `asked` says that
    the platform was asked for this reference alone, before the call, and gave no usable answer.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    withheld: bool = False
    alone_after: int = 0
    sent: bool = True
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """The batch was refused as a whole, perhaps because of one reference; `too_long` says that its length was why."""

    reason: str
    status: int
    too_long: bool = False


Verdict = Confirmed | Refused | Unclear | Untaken | Suspect


def uncounted(verdict: Verdict) -> Verdict:
    """The same verdict for a breaker's probe: it burns no attempt, unless nothing was sent for a reason of our own."""
    match verdict:
        case Untaken(sent=False):
            return verdict
        case Unclear() | Untaken():
            return replace(verdict, counted=False)
        case _:
            return verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict for each reference of a call: `others` has the exceptions, `common` holds for the rest.

    `unasked` are references that the answer names and the call did not. `changed` says that the answer is readable but
    not in the documented form.
    """

    common: Verdict
    others: Mapping[str, Verdict]
    unasked: tuple[str, ...] = ()
    changed: bool = False

    @property
    def answered(self) -> bool:
        """Whether the answer confirms or refuses any reference, or refuses the whole batch."""
        definite = (Confirmed, Refused, Suspect)
        return isinstance(self.common, definite) or any(isinstance(v, definite) for v in self.others.values())

    def of(self, reference: str) -> Verdict:
        """The verdict for one reference."""
        return self.others.get(reference, self.common)

    def uncounted(self) -> "Judgement":
        """The same judgement for a breaker's probe: no verdict burns an attempt."""
        others = {reference: uncounted(verdict) for reference, verdict in self.others.items()}
        return replace(self, common=uncounted(self.common), others=others)
