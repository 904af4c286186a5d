"""The result of an attempt, and its form for the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from cancellist.jobs.flow.batch_size import TriedBatch
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from cancellist.jobs.ledger.claims import Claim, Settlement, Share
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.model import DONE
from cancellist.jobs.responses.steps import ReadState, Step, WriteResult


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of an attempt.

    Attributes:
        parts: the shares of each part of the claim.
        rest_s: how long its slot stays taken.
        hold_s: how long the account must make no call.
        hold_why: the reason for the hold.
        listed: what the call showed about the largest batch size.
        learnt: the fingerprint of a refusal text, and the class of state that a read found behind it.
        trouble: the record of the call, where it did not simply succeed.
        slow_s: the pause before retries once the account's retry budget is spent.
        shown: what the attempt showed about the platform; None where it showed nothing.
    """

    parts: Sequence[Sequence[Share]]
    shown: AttemptSignal | None = None
    rest_s: float = 0.0
    hold_s: float = 0.0
    hold_why: str | None = None
    listed: TriedBatch | None = None
    learnt: tuple[str, str] | None = None
    trouble: TroubledCall | None = None
    slow_s: float = 0.0

    @property
    def too_long(self) -> bool:
        """Whether its batch was refused for its length."""
        return self.listed is not None and not self.listed.taken

    @property
    def chains(self) -> bool:
        """Whether a staged claim may follow at once: the slot is free, and no batch was too long."""
        return not (self.rest_s or self.too_long)

    @property
    def leaves(self) -> bool:
        """Whether some of its references need another call or read."""
        return any(not isinstance(share.step, WriteResult) for shares in self.parts for share in shares)

    @property
    def may_fall_short(self) -> bool:
        """Whether a result of it counts for a failure stop, or one may that is to be read first."""
        steps = (share.step for shares in self.parts for share in shares)
        return any(isinstance(step, ReadState) or _falls_short(step) for step in steps)

    def settlement(self, claim: Claim, slot: str, *, keep: bool) -> Settlement:
        """The settlement of its claim. The slot rests or is given back, unless the next call is to `keep` it."""
        rest = {slot: round(self.rest_s * 1000)} if self.rest_s else {}
        return Settlement(
            claim.id,
            self.parts,
            () if keep or rest else (slot,),
            rest,
            hold_ms=round(self.hold_s * 1000),
            hold_why=self.hold_why,
            listed=self.listed,
            learnt=self.learnt,
            trouble=self.trouble,
            slow_s=self.slow_s,
            well=self.shown is not None and self.shown.sign is Signal.ACCEPTED,
        )


def _falls_short(step: Step) -> bool:
    return isinstance(step, WriteResult) and step.outcome not in DONE
