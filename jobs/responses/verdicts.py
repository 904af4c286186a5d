"""The closed set of verdicts: what one cancelling call has come to mean for a reference that it named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

NO_ANSWER, OF_THE_CALLER = 1, 3
"""How often others must have done well in between until references themselves are at fault: where what came is no
answer of the platform, and where it says of the caller that it may not, or not now: that may be chance a few times."""


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

    `counted` says whether that burns an attempt; `ended` that it can act no more, since the call was answered;
    `alone_after` as for `Untaken`.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    ended: bool = False
    alone_after: int = 0


@dataclass(frozen=True, slots=True)
class Untaken:
    """The platform did not act; `counted` says whether that burns an attempt, `withheld` that it was sent nothing.

    `alone_after`, where it is not 0, says that this is put down to the account or the platform at first, and burns
    nothing; but to the references themselves once it has come so often in a row while others did well in between.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    withheld: bool = False
    alone_after: int = 0


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
    """One verdict for each reference of a call: `common` for all but those in `others`.

    `unasked` are references that the answer named and nobody asked for; `changed` says that its form is not the
    documented one, though it says what it should.
    """

    common: Verdict
    others: Mapping[str, Verdict]
    unasked: tuple[str, ...] = ()
    changed: bool = False

    @property
    def answered(self) -> bool:
        """Whether it says of any reference what became of it, or why the list was not taken."""
        definite = (Confirmed, Refused, Suspect)
        return isinstance(self.common, definite) or any(isinstance(v, definite) for v in self.others.values())

    def of(self, reference: str) -> Verdict:
        """The verdict for one reference."""
        return self.others.get(reference, self.common)

    def uncounted(self) -> "Judgement":
        """The same of a breaker's probe."""
        others = {reference: uncounted(verdict) for reference, verdict in self.others.items()}
        return replace(self, common=uncounted(self.common), others=others)
