"""The result of one of `doctor`'s checks: its status, what was found, what that means and how to fix it."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a check ended; only `failed` needs a fix."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        found: what the check saw; may hold foreign text.
        means: what follows from it; empty where all is well.
        mend: how to fix it; empty where all is well.
    """

    check: str
    verdict: CheckStatus
    found: str
    means: str = ""
    mend: str = ""


def ok(check: str, found: str) -> CheckResult:
    """A check that found no fault."""
    return CheckResult(check, CheckStatus.OK, found)


def warning(check: str, found: str, means: str, mend: str) -> CheckResult:
    """A check that found something worth knowing; the system still works."""
    return CheckResult(check, CheckStatus.WARNING, found, means, mend)


def failed(check: str, found: str, means: str, mend: str) -> CheckResult:
    """A check that found a fault."""
    return CheckResult(check, CheckStatus.FAILED, found, means, mend)


def skipped(check: str, why: str) -> CheckResult:
    """A check that could not run, or did not need to."""
    return CheckResult(check, CheckStatus.SKIPPED, why)
