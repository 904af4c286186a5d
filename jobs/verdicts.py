"""The closed set of verdicts: what one cancelling call has come to mean for a reference that it named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The platform confirmed the cancellation."""

    status: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform refused this reference; only its state, read back, says why."""

    status: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """The platform may have acted without confirming it.

    `counted` says whether that burns an attempt; `ended` that it can act no more, since the call was answered.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Untaken:
    """The platform did not act; `counted` says whether that burns an attempt, `withheld` that it was sent nothing."""

    reason: str
    status: int | None = None
    counted: bool = True
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """The list was refused as a whole, perhaps for one reference's sake; `too_long` says that it was for its length."""

    reason: str
    status: int
    too_long: bool = False


Verdict = Confirmed | Refused | Unclear | Untaken | Suspect


def uncounted(verdict: Verdict) -> Verdict:
    """The verdict of a breaker's probe: it burns no attempt."""
    return replace(verdict, counted=False) if isinstance(verdict, Unclear | Untaken) else verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict for each reference of a call: `common` for all but those in `others`."""

    common: Verdict
    others: Mapping[str, Verdict]
    unasked: tuple[str, ...] = ()

    def of(self, reference: str) -> Verdict:
        """The verdict for one reference."""
        return self.others.get(reference, self.common)

    def uncounted(self) -> "Judgement":
        """The same of a breaker's probe."""
        others = {reference: uncounted(verdict) for reference, verdict in self.others.items()}
        return Judgement(uncounted(self.common), others, self.unasked)
