"""Says now and then how far something is that takes long."""

from time import monotonic
from typing import Final

from cancellist.cli.terminal import say_now

UPDATING: Final = "bringing the index of references up to date: {read:,} of {there:,} results"
_EVERY_S: Final = 2.0


class Occasional:
    """Says every few seconds how much is done; `words` names `read` and `there`."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._told_at_s = monotonic()

    def __call__(self, read: int, there: int) -> None:
        """Takes note of how many entries were read, and how many there are."""
        now_s = monotonic()
        if now_s - self._told_at_s >= _EVERY_S:
            self._told_at_s = now_s
            say_now(self._words.format(read=read, there=there))
