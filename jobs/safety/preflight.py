"""Pre-flight: what is known of a job before it is handed in."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cancellist.jobs.safety.consignment_record import Seen, Standing
from cancellist.jobs.safety.sampling import Portion

EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Intake:
    """What an input holds: references, each counted once, and what else there is.

    Attributes:
        references: distinct references.
        duplicates: references that were left out.
        invalid: malformed entries, which are never sent.
        blank: empty cells.
    """

    references: int
    duplicates: int = 0
    invalid: int = 0
    blank: int = 0


@dataclass(frozen=True, slots=True)
class Overlapping:
    """A job that names some of the references, too.

    Attributes:
        references: how many of those that were compared.
        state: of the job; None where its record is gone.
    """

    job: str
    references: int
    state: str | None
    created_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """The jobs of the last days that name some of the references.

    Attributes:
        jobs: those jobs, the one with most references first.
        references: how many of those that were compared are in any.
        compared: how many were compared.
        gap: why some may be missing; None where none can be.
    """

    jobs: Sequence[Overlapping] = ()
    references: int = 0
    compared: int = 0
    gap: str | None = None


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many open consignments the account has; None where the platform does not say so for sure, and then why."""

    count: int | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of how long the job will take.

    Attributes:
        per_call: references a call.
        at_once: calls at once.
        calls_per_second: the limit; None where none is set.
        call_s: how long a call takes; None where it is not known.
        rate: results a second of the account's jobs, now or lately; None where it is not known.
        rate_of: which rate that is, in words.
        waiting: references of other jobs that go before, or take turns.
    """

    per_call: int
    at_once: int
    calls_per_second: float | None = None
    call_s: float | None = None
    rate: float | None = None
    rate_of: str = ""
    waiting: int = 0

    def seconds(self, references: int) -> tuple[float | None, str]:
        """How long so many references will take, and what that goes by."""
        if self.rate:
            return (references + self.waiting) / self.rate, self.rate_of
        calls = math.ceil((references + self.waiting) / self.per_call)
        known = []
        if self.calls_per_second:
            known.append((calls - 1) / self.calls_per_second + (self.call_s or 0.0))
        if self.call_s:
            known.append(math.ceil(calls / self.at_once) * self.call_s)
        if not known:
            return None, "nothing is known of the platform's pace"
        return max(known), "the limits of the account and the time that a read takes"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was found.

    Attributes:
        account: whose references they are.
        platform: the platform's host.
        environment: `sandbox`, or `production` where calls are real.
        intake: what the input holds.
        seen: what was read: of all references, or of a sample.
        deadline_ms: by when it is to be done; None where there is none.
        now_ms: when it was looked at.
    """

    account: str
    platform: str
    environment: str
    intake: Intake
    seen: Sequence[Seen]
    overlap: Overlap
    open: OpenCount
    pace: Pace
    now_ms: int
    deadline_ms: int | None = None
    standings: Mapping[Standing, int] = field(init=False)

    def __post_init__(self) -> None:
        counted = Counter(one.standing for one in self.seen)
        object.__setattr__(self, "standings", {standing: counted[standing] for standing in Standing})

    @property
    def near(self) -> int:
        """How many of those that were read are near manifesting."""
        return sum(one.near for one in self.seen)

    def portion(self, found: int) -> Portion:
        """How many of all are of a kind of which so many were read."""
        return Portion(found, len(self.seen), self.intake.references)


def deadline_met(facts: Facts) -> bool | None:
    """Whether all will be done by the deadline; None where there is none, or it cannot be said."""
    seconds, _ = facts.pace.seconds(facts.intake.references)
    if facts.deadline_ms is None or seconds is None:
        return None
    return facts.now_ms + seconds * 1000 <= facts.deadline_ms


def share_of_open(facts: Facts) -> float | None:
    """Which share of all open consignments the job would cancel; None where it cannot be said."""
    total, own = facts.open.count, facts.portion(facts.standings[Standing.OPEN])
    if not total or not own.read or own.counts[0] > total:
        return None
    return min(1.0, own.count / total)


def examples(seen: Sequence[Seen]) -> list[Seen]:
    """Twenty of what was read, some of each standing that there is."""
    by_standing = [[one for one in seen if one.standing is standing] for standing in Standing]
    found: list[Seen] = []
    for turn in range(EXAMPLES):
        found += [some[turn] for some in by_standing if turn < len(some)]
    chosen = {one.reference for one in found[:EXAMPLES]}
    return [one for one in seen if one.reference in chosen]
