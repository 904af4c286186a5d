"""What an examination finds: a verdict, what it rests on, what that means and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a check ended; only `failed` must be mended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes:
        found: what was seen; may hold foreign text.
        means: what it leads to; empty where all is well.
        mend: what to do about it, likewise.
    """

    check: str
    verdict: CheckStatus
    found: str
    means: str = ""
    mend: str = ""


def ok(check: str, found: str) -> CheckResult:
    """All is well."""
    return CheckResult(check, CheckStatus.OK, found)


def warning(check: str, found: str, means: str, mend: str) -> CheckResult:
    """It works, but something is to be known."""
    return CheckResult(check, CheckStatus.WARNING, found, means, mend)


def failed(check: str, found: str, means: str, mend: str) -> CheckResult:
    """It must be mended."""
    return CheckResult(check, CheckStatus.FAILED, found, means, mend)


def skipped(check: str, why: str) -> CheckResult:
    """It could not be, or need not be, looked at."""
    return CheckResult(check, CheckStatus.SKIPPED, why)
