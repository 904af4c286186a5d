"""A limit of what may go wrong: a number or a share."""

import re
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.escaping import cut

_DIGITS: Final = 6
"""Digits that a share may have after its point."""
_WRITTEN: Final = re.compile(rf"\s*(\d{{1,9}})(?:(\.\d{{1,{_DIGITS}}})?\s*(%))?\s*", re.ASCII)
_ALL: Final = 100
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: a number, or a share of all.

    A share other than 0% applies only to more than `SHARED_ABOVE` entries, since it says little of a few.

    Attributes:
        number: the number; None for a share.
        percent: the share of all.
    """

    number: int | None = None
    percent: float = 0.0

    def exceeded(self, found: int, of: int) -> bool:
        """Whether `found` among `of` is more than the limit allows."""
        if self.number is not None:
            return found > self.number
        if of <= SHARED_ABOVE and self.percent:
            return False
        return found * _ALL > self.percent * of

    def __str__(self) -> str:
        if self.number is not None:
            return str(self.number)
        return f"{self.percent:.{_DIGITS}f}".rstrip("0").rstrip(".") + "%"  # no exponent: it is read back


SHARED_ABOVE: Final = 10
"""A share does not apply to this many entries or fewer."""


def parse_limit(text: str) -> Limit:
    """Parses a limit such as `20` or `2.5%`.

    Raises:
        ValueError: the text is neither; the message says what to write.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or (found[3] and float(f"{found[1]}{found[2] or ''}") > _ALL):
        raise ValueError(f"'{cut(text, _SHOWN)}' is neither a number such as 20 nor a share such as 10%")
    if found[3]:
        return Limit(percent=float(f"{found[1]}{found[2] or ''}"))
    return Limit(number=int(found[1]))
