"""Sessions: who has signed in with a token on a page. The process alone holds them: they end with it."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from cancellist.api.auth import Caller
from cancellist.jobs.access import digest_of

IDLE_S: Final = 12 * 3600.0
"""Seconds without a request after which a session has ended."""
MOST: Final = 10_000


@dataclass
class Sessions:
    """Who has signed in, by the digest of the secret that the cookie has; the one not used for longest is first."""

    _open: OrderedDict[str, tuple[Caller, float]] = field(default_factory=OrderedDict)

    def begin(self, caller: Caller, now_s: float) -> str:
        """Begins a session, and answers its secret."""
        secret = secrets.token_urlsafe(32)
        self._open[digest_of(secret)] = caller, now_s
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return secret

    def caller(self, secret: str, now_s: float) -> Caller | None:
        """Who has signed in; None where no session has this secret, or where it was not used for long."""
        digest = digest_of(secret)
        caller, used_s = self._open.pop(digest, (None, 0.0))
        if caller is None or now_s - used_s > IDLE_S:
            return None
        self._open[digest] = caller, now_s
        return caller

    def end(self, secret: str) -> None:
        """Ends a session, where there is one."""
        self._open.pop(digest_of(secret), None)
