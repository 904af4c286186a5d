"""Places of connections: so many may be open at once, and one that gives way makes room for a new one.

One that waits for a request gives way, and so does one whose request is of nobody who is known: however many strangers
come, and however slowly they send or read, none of them keeps a place from who has a token.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

SURPLUS = 256
"""Connections beyond the places, which live long enough to be told so."""


@dataclass
class Places:
    """Who has a place, and who of them gives way.

    Attributes:
        most: places there are.
    """

    most: int
    _held: set[Hashable] = field(default_factory=set)
    _yielding: dict[Hashable, Callable[[], object]] = field(default_factory=dict)
    """Those that give way, the one that has waited or worked for longest first, and what closes it."""

    def take(self, one: Hashable) -> bool:
        """Gives a connection a place, where there is one or another gives way; answers whether it has one."""
        if one not in self._held and len(self._held) >= self.most:
            longest = next(iter(self._yielding), None)
            if longest is None:
                return False
            close = self._yielding[longest]
            self.leave(longest)
            close()
        self._held.add(one)
        return True

    def yields(self, one: Hashable, close: Callable[[], object]) -> None:
        """Notes that a connection gives way from now on, if it does not already."""
        if one in self._held:
            self._yielding.setdefault(one, close)

    def works(self, one: Hashable) -> None:
        """Notes that a request of a connection is under way, for which it gives way no more."""
        self._yielding.pop(one, None)

    def leave(self, one: Hashable) -> None:
        """Gives a place back, where the connection has one."""
        self._held.discard(one)
        self._yielding.pop(one, None)
