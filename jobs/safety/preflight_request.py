"""What is handed to whoever reads the states of a plan, in a form that can be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from cancellist.jobs.safety.preflight import Intake, Overlap, Overlapping


@dataclass(frozen=True, slots=True)
class PreflightRequest:
    """An input that was taken in, and the references whose states are to be read.

    Attributes:
        drawn: all references, or a sample.
        intake: what the input holds.
        overlap: the jobs that name some of the references, too.
        deadline_ms: by when it is to be done; None where there is none.
    """

    drawn: Sequence[str]
    intake: Intake
    overlap: Overlap
    deadline_ms: int | None = None

    def packed(self) -> dict[str, Any]:
        """The stored form."""
        return asdict(self) | {"drawn": list(self.drawn)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """The request of its stored form."""
        overlap = dict(stored["overlap"])
        jobs = [Overlapping(**one) for one in overlap.pop("jobs")]
        intake, deadline_ms = Intake(**stored["intake"]), stored.get("deadline_ms")
        return cls(list(stored["drawn"]), intake, Overlap(jobs, **overlap), deadline_ms)
