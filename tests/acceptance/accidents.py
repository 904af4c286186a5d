"""The accidents of others, and what stops each: the table of docs/explanation/accidents.md, as it is played."""

from dataclasses import dataclass
from typing import Final

from tests.support import ROOT

PAGE: Final = ROOT / "docs/explanation/accidents.md"
HEAD: Final = ("accident", "guard", "setting or option", "what is seen", "where a way in lacks it")


@dataclass(frozen=True)
class Accident:
    """A row.

    Attributes:
        what: what happens.
        guard: what stops it.
        setting: by which setting or option.
        seen: what the user sees; a code or a state stands in backquotes.
        lacking: which ways in cannot carry the guard, and what stops it there instead; empty where none lacks it.
    """

    what: str
    guard: str
    setting: str
    seen: str
    lacking: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as the page has it."""
        return (self.what, self.guard, self.setting, self.seen, self.lacking)


UNKNOWN: Final = Accident(
    "the wrong file: the account does not know the references",
    "canary",
    "`CANARY`",
    "job `halted`: refused in its canary",
)
CANCELLED: Final = Accident(
    "the wrong file, or a first stage that held no real case: all was cancelled before",
    "canary",
    "`CANARY`",
    "job `halted`: none of its canary was cancelled",
)
STALE: Final = Accident(
    "a stale list: most is manifested by now",
    "failure stop",
    "`MAX_REFUSED`",
    "job `halted`: too many refused",
)
NEW_HOST: Final = Accident(
    "the wrong host: it was never called before",
    "host that is typed",
    "always",
    "refused, `new_host`",
)
OTHER_ACCOUNT: Final = Accident(
    "the wrong account: the plan was made for another",
    "plan",
    "`--plan`",
    "refused, `stale_plan`",
    "a retry names no account: it is of its job's",
)
OTHER_HOST: Final = Accident(
    "the wrong host: the plan was made for another",
    "plan",
    "`--plan`",
    "refused, `stale_plan`",
    "a retry has no plan: the host is that of its job's account, and typed where it is new",
)
COUNT: Final = Accident(
    "a mistyped count",
    "expected count",
    "`--expect-count`",
    "refused, `count_mismatch`",
    "the platform's own calls: a plan of another count, `stale_plan`; a retry: the count of its approval,"
    " `approval_mismatch`",
)
OWN: Final = Accident(
    "a form approved without being understood: by who handed it in",
    "second person",
    "`APPROVE_ABOVE`",
    "refused, `forbidden`; job `held`",
    "the intake stream, and a command without a token, name nobody: the role `approve` is needed, `forbidden`",
)
BLIND: Final = Accident(
    "a form approved without being understood: with another count, or of other content",
    "count and digest of the approval",
    "`APPROVE_ABOVE`",
    "refused, `approval_mismatch`; job `held`",
)
TWICE: Final = Accident(
    "a run done twice: by the same request",
    "idempotency key",
    "`--idempotency-key`",
    "the job that was made before",
    "a retry has its own key: the same references of a job are retried once",
)
PLANNED_TWICE: Final = Accident(
    "a run done twice: by the same plan",
    "plan",
    "`--plan`",
    "refused, `stale_plan`; a new plan names the job that it overlaps",
    "a retry has no plan: the same references of a job are retried once",
)
MANY: Final = Accident(
    "far more than is usual: in one job",
    "guard",
    "`GUARD_MAX_REFERENCES`",
    "refused, `guard_refused`",
)
DAY: Final = Accident(
    "far more than is usual: in a day, by many jobs",
    "guard",
    "`GUARD_MAX_PER_DAY`",
    "refused, `guard_refused`",
)
SHARE: Final = Accident(
    "far more than is usual: a large part of all that is open",
    "guard",
    "`GUARD_MAX_SHARE`",
    "refused, `guard_refused`",
)
UNUSUAL: Final = Accident(
    "far more than is usual: by the days of the last weeks",
    "guard",
    "`GUARD_UNUSUAL`",
    "job `held`, until another person approves it",
)
STOP: Final = Accident(
    "a person wants it stopped now",
    "stop of all accounts",
    "`cancellist stop`, `POST /v1/stop`, `STOP_FILE`",
    "no call starts; the job waits",
)
HOLD: Final = Accident(
    "a person wants back what was just handed in",
    "hold",
    "`HOLD`",
    "job `held`, then `aborted`: nothing was sent",
)

ACCIDENTS: Final = (
    UNKNOWN, CANCELLED, STALE, NEW_HOST, OTHER_ACCOUNT, OTHER_HOST, COUNT, OWN, BLIND, TWICE, PLANNED_TWICE, MANY, DAY,
    SHARE, UNUSUAL, STOP, HOLD,
)  # fmt: skip
"""In the order of the page."""


def rows_of_page() -> list[tuple[str, ...]]:
    """The rows of the page's table, its head first."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [rows[0], *rows[2:]]
