"""Sessions: who has signed in with a token on a page. The process alone holds them: they end with it."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from cancellist.api.auth import Caller
from cancellist.jobs.access import digest_of

IDLE_S: Final = 12 * 3600.0
"""Seconds without a request after which a session has ended."""
MOST_OF_ONE: Final = 20
"""Sessions of one caller. Only the tokens of the settings begin one, so that all together are bounded too."""


@dataclass(eq=False)
class Session:
    """Who has signed in, and whether that still counts.

    Attributes:
        caller: who.
        used_s: when it was last used.
        ended: whether it was ended.
    """

    caller: Caller
    used_s: float
    ended: bool = False

    def is_open(self, now_s: float) -> bool:
        """Whether it still counts."""
        return not self.ended and now_s - self.used_s <= IDLE_S


@dataclass
class Sessions:
    """Who has signed in, by the digest of the secret that the cookie has.

    A caller has so many sessions at most; the one not used for longest makes room, and never another caller's.
    """

    _open: dict[str, Session] = field(default_factory=dict)

    def begin(self, caller: Caller, now_s: float) -> str:
        """Begins a session, and answers its secret."""
        own = [digest for digest, one in self._open.items() if one.caller == caller]
        own.sort(key=lambda digest: self._open[digest].used_s)
        for digest in own[: max(0, len(own) - MOST_OF_ONE + 1)]:
            self._end(digest)
        secret = secrets.token_urlsafe(32)
        self._open[digest_of(secret)] = Session(caller, now_s)
        return secret

    def find(self, secret: str, now_s: float) -> Session | None:
        """The session that is used now; None where none has this secret, or where it was not used for long."""
        digest = digest_of(secret)
        found = self._open.get(digest)
        if found is None:
            return None
        if not found.is_open(now_s):
            self._end(digest)
            return None
        found.used_s = now_s
        return found

    def end(self, secret: str) -> None:
        """Ends a session, where there is one."""
        self._end(digest_of(secret))

    def _end(self, digest: str) -> None:
        if found := self._open.pop(digest, None):
            found.ended = True
