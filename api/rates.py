"""How many requests a caller may make, and an address from which nobody comes that is known."""

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from cancellist.api.problems import ProblemError

_SITE: Final = 64
"""Bits of an IPv6 address that one site has: it can use any of the others."""


@dataclass
class Buckets:
    """A bucket of tokens a caller, filled at a steady rate; it holds those of two seconds."""

    rate: float
    _filled: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    _MOST = 10_000

    def take(self, name: str, now_s: float) -> float:
        """Takes one; answers 0, or in how many seconds there is one."""
        left = self._left(name, now_s)
        taken = left >= 1
        self._filled[name] = (left - 1 if taken else left, now_s)
        self._filled.move_to_end(name)
        while len(self._filled) > self._MOST:
            self._filled.popitem(last=False)
        return 0.0 if taken else (1 - left) / self.rate

    def wait_s(self, name: str, now_s: float) -> float:
        """Answers the same as `take`, and takes none."""
        left = self._left(name, now_s)
        return 0.0 if left >= 1 else (1 - left) / self.rate

    def _left(self, name: str, now_s: float) -> float:
        most = max(1.0, 2 * self.rate)
        left, at_s = self._filled.get(name, (most, now_s))
        return min(most, left + (now_s - at_s) * self.rate)


@dataclass
class Proven:
    """Callers whose token was right, each with the address it came from; the one not seen for longest is first."""

    _seen: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    _MOST = 10_000

    def has(self, address: str, caller: str) -> bool:
        """Whether a caller was right from an address before."""
        if (address, caller) not in self._seen:
            return False
        self._seen.move_to_end((address, caller))
        return True

    def add(self, address: str, caller: str) -> None:
        """Notes that a caller was."""
        self._seen[address, caller] = None
        while len(self._seen) > self._MOST:
            self._seen.popitem(last=False)


class Rates:
    """Holds callers to a rate, each by itself, and those who are not known by the address they come from.

    Tokens that are tried are counted apart, so that nobody is refused a token for what others asked without one. Where
    too many wrong ones came from an address, a right one is refused as well: else whoever guesses would know it. That
    holds nobody up whose token was right from that address before, nor who has signed in.

    Args:
        rate: requests a second.
    """

    def __init__(self, rate: float) -> None:
        self._callers = Buckets(rate)
        self._strangers = Buckets(rate)
        self._wrong = Buckets(rate)
        self._proven = Proven()

    def take(self, caller: str) -> None:
        """Counts a request of a caller.

        Raises:
            ProblemError: it is one too many.
        """
        wait_s = self._callers.take(caller, time.monotonic())
        if wait_s:
            raise _too_many(f"{caller} sends too many requests", wait_s)

    def take_stranger(self, address: str | None) -> None:
        """Counts a request that brings no token, of nobody that is known.

        Raises:
            ProblemError: it is one too many from this address.
        """
        wait_s = self._strangers.take(_site(address), time.monotonic())
        if wait_s:
            raise _too_many("too many requests without a token come from this address", wait_s)

    def try_token(self, address: str | None, caller: str | None) -> None:
        """Counts a token that is tried.

        Args:
            address: where it comes from.
            caller: whose it is; None where it is wrong.

        Raises:
            ProblemError: too many wrong ones came from this address; it says the same of a token that is right.
        """
        site, now_s = _site(address), time.monotonic()
        if caller is not None and self._proven.has(site, caller):
            return
        wait_s = self._wrong.take(site, now_s) if caller is None else self._wrong.wait_s(site, now_s)
        if wait_s:
            raise _too_many("too many tokens that are not known come from this address", wait_s)
        if caller is not None:
            self._proven.add(site, caller)


def _too_many(detail: str, wait_s: float) -> ProblemError:
    return ProblemError("too_many_requests", detail, headers={"Retry-After": str(math.ceil(wait_s))})


def _site(address: str | None) -> str:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if found.version == 6:  # noqa: PLR2004 - of the Internet Protocol
        return str(found.ipv4_mapped or ipaddress.ip_network((found, _SITE), strict=False))
    return str(found)
