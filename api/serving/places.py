"""Places of connections: so many may be open at once, and one that waits for a request gives way to a new one."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

SURPLUS = 256
"""Connections beyond the places, which live long enough to be told so."""


@dataclass
class Places:
    """Who has a place, and who of them waits for a request.

    Attributes:
        most: places there are.
    """

    most: int
    _held: set[Hashable] = field(default_factory=set)
    _waiting: dict[Hashable, Callable[[], None]] = field(default_factory=dict)
    """Those that wait, the one that has waited longest first, and what closes it."""

    def take(self, one: Hashable) -> bool:
        """Gives a connection a place, where there is one or another gives way; answers whether it has one."""
        if one not in self._held and len(self._held) >= self.most:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            close = self._waiting[longest]
            self.leave(longest)
            close()
        self._held.add(one)
        return True

    def waits(self, one: Hashable, close: Callable[[], None]) -> None:
        """Notes that a connection waits for a request from now on."""
        if one in self._held:
            self._waiting.setdefault(one, close)

    def works(self, one: Hashable) -> None:
        """Notes that a request of a connection is under way."""
        self._waiting.pop(one, None)

    def leave(self, one: Hashable) -> None:
        """Gives a place back, where the connection has one."""
        self._held.discard(one)
        self._waiting.pop(one, None)
