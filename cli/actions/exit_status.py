"""What a command that waits says by its exit status."""

from collections.abc import Iterable

from cancellist.jobs.model import REFUSED, UNFINISHED, Outcome


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """The exit status of a command that waited for these outcomes: 0, 3 where some were refused, 4 where unfinished."""
    seen = set(outcomes)
    if seen & UNFINISHED:
        return 4
    return 3 if seen & REFUSED else 0
