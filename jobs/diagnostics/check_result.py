"""What an examination finds: a verdict, what it rests on, what that means and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended; only `failed` must be mended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        found: what was seen; may hold foreign text.
        means: what it leads to; empty where all is well.
        mend: what to do about it, likewise.
    """

    check: str
    verdict: Verdict
    found: str
    means: str = ""
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, means: str, mend: str) -> Finding:
    """It works, but something is to be known."""
    return Finding(check, Verdict.WARNING, found, means, mend)


def failed(check: str, found: str, means: str, mend: str) -> Finding:
    """It must be mended."""
    return Finding(check, Verdict.FAILED, found, means, mend)


def skipped(check: str, why: str) -> Finding:
    """It could not be, or need not be, looked at."""
    return Finding(check, Verdict.SKIPPED, why)
