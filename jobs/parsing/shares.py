"""How many of all may go wrong: a number, or a share."""

import re
from dataclasses import dataclass
from typing import Final

_WRITTEN: Final = re.compile(r"\s*(\d{1,9})(?:(\.\d{1,6})?\s*(%))?\s*", re.ASCII)
_ALL: Final = 100
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many, or at most such a share.

    A share says nothing of a few: it holds above `SHARED_ABOVE` of them, and below only where it is none at all.

    Attributes:
        number: how many; None where a share is meant.
        percent: of all.
    """

    number: int | None = None
    percent: float = 0.0

    def exceeded(self, found: int, of: int) -> bool:
        """Say whether `found` among so many is more than is allowed."""
        if self.number is not None:
            return found > self.number
        if of <= SHARED_ABOVE and self.percent:
            return False
        return found * _ALL > self.percent * of

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.number is None else str(self.number)


SHARED_ABOVE: Final = 10
"""As many as a share says nothing of."""


def parse_limit(text: str) -> Limit:
    """Give what `20` or `2.5%` means.

    Raises:
        ValueError: it is neither; the text says what is wanted.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or (found[3] and float(f"{found[1]}{found[2] or ''}") > _ALL):
        cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise ValueError(f"'{cut}' is neither a number such as 20 nor a share such as 10%")
    if found[3]:
        return Limit(percent=float(f"{found[1]}{found[2] or ''}"))
    return Limit(number=int(found[1]))
