"""The exit status of commands that wait for a job."""

from collections.abc import Iterable
from typing import Final

from cancellist.jobs.model import REFUSED, UNFINISHED, Outcome

HALTED: Final = 5


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """Returns 4 if an outcome is unfinished, else 3 if one is refused, else 0."""
    seen = set(outcomes)
    if seen & UNFINISHED:
        return 4
    return 3 if seen & REFUSED else 0
