"""The guard: what a job of an account may be before a person has to look at it.

- `max_references` bounds the references of a job, `max_per_day` those handed in within 24 hours, and `max_share` the
  share of all open consignments that a job may name. A job that passes one of these is refused. Where the account asks
  for approvals (`approve_above` or `approvals_required`), it is held for approval instead.
- A job is held for approval where it names more references than `approve_above`; where those of 24 hours are more than
  `unusual` times the median of the last weeks' days; and where `max_share` is set and the number of open consignments
  is not known.

A share and what is unusual are not looked at below 100 references: small numbers show nothing. The ledger judges
(lua/shared/guards.lua), as a job is handed in, and again as it starts, by the guards that came since.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Guard:
    """The guard of an account. None sets no bound.

    Attributes:
        max_references: most references of a job.
        max_per_day: most references handed in within 24 hours.
        max_share: most of all open consignments that a job may name, in percent.
        unusual: most times the median of a day.
        approve_above: references of a job above which others must approve it.
        approvals_required: how many must.
        keep_ms: for how long a job waits for them.
    """

    max_references: int | None = None
    max_per_day: int | None = None
    max_share: float | None = None
    unusual: float | None = None
    approve_above: int | None = None
    approvals_required: int | None = None
    keep_ms: int = DAY_MS

    def __bool__(self) -> bool:
        bounds = (self.max_references, self.max_per_day, self.max_share, self.unusual, self.approve_above)
        return any(bound is not None for bound in bounds)

    def packed(self) -> str:
        """As the ledger stores it; empty where nothing is bounded."""
        values = {
            "references": self.max_references,
            "day": self.max_per_day,
            "share": self.max_share,
            "unusual": self.unusual,
            "above": self.approve_above,
            "approvals": self.approvals_required,
            "keep": self.keep_ms,
        }
        if not self:
            return ""
        return " ".join(f"{name}:{value:.14g}" for name, value in values.items() if value is not None)

    def approvals_of_a_reinstatement(self, count: int) -> int:
        """How many others must approve that so many consignments are created anew."""
        if self.approve_above is None and self.approvals_required is None:
            return 0
        return (self.approvals_required or 1) if count > (self.approve_above or 0) else 0


def unpack_approvals(text: str) -> Guard:
    """Reads of a packed guard whom it asks for approval.

    Raises:
        ValueError: it is no packed guard.
    """
    values = dict(part.split(":") for part in text.split())
    above, approvals = values.get("above"), values.get("approvals")
    return Guard(approve_above=int(above) if above else None, approvals_required=int(approvals) if approvals else None)


class GuardKind(StrEnum):
    """What a job passes."""

    REFERENCES = "references"
    DAY = "day"
    SHARE = "share"
    UNKNOWN = "unknown"
    UNUSUAL = "unusual"
    ABOVE = "above"


TEXTS: Final = {
    GuardKind.REFERENCES: "it names {found} references, and a job may name {limit}",
    GuardKind.DAY: "with its {of} references {found} are handed in within 24 hours, and {limit} may be",
    GuardKind.SHARE: "its {found} references are more than {limit} % of all {of} open consignments",
    GuardKind.UNKNOWN: "it names {found} references, at most {limit} % of all open consignments may be named, and"
    " how many are open is not known",
    GuardKind.UNUSUAL: "with it {found} references are handed in within 24 hours, more than {limit} times the {of} of a"
    " usual day",
    GuardKind.ABOVE: "it names {found} references, and above {limit} another person must approve it",
}
"""What each finding says. An answer to an intake entry is made of the same texts (lua/shared/sealing.lua)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A bound that a job passes, with the numbers.

    Attributes:
        found: the references that were counted.
        limit: how many, which share in percent, or how many times.
        of: the references of the job (DAY), the open consignments (SHARE), or the median of a day (UNUSUAL); else 0.
    """

    kind: GuardKind
    found: float
    limit: float
    of: float

    @property
    def words(self) -> str:
        """The same in words."""
        return TEXTS[self.kind].format(found=_shown(self.found), limit=_shown(self.limit), of=_shown(self.of))


def unpack_findings(text: str) -> tuple[Finding, ...]:
    """Reads what lua/shared/guards.lua wrote; what cannot be read is left out: it must not break a listing."""
    return tuple(_findings(text))


def in_words(findings: tuple[Finding, ...]) -> str:
    """All findings in one line."""
    return "; ".join(finding.words for finding in findings)


def _findings(text: str) -> Iterator[Finding]:
    for packed in filter(None, text.split(";")):
        try:
            kind, found, limit, of = packed.split()
            yield Finding(GuardKind(kind), float(found), float(limit), float(of))
        except ValueError:
            continue


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.14g}"
