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
        most = max(1.0, 2 * self.rate)
        left, at_s = self._filled.pop(name, (most, now_s))
        left = min(most, left + (now_s - at_s) * self.rate)
        taken = left >= 1
        self._filled[name] = (left - 1 if taken else left, now_s)
        while len(self._filled) > self._MOST:
            self._filled.popitem(last=False)
        return 0.0 if taken else (1 - left) / self.rate


class Rates:
    """Holds callers to a rate, each by itself, and those who are not known by the address they come from.

    Who brings a token that is known is never held to the rate of an address, which a proxy may share with others.

    Args:
        rate: requests a second.
    """

    def __init__(self, rate: float) -> None:
        self._callers = Buckets(rate)
        self._strangers = Buckets(rate)

    def take(self, caller: str) -> None:
        """Counts a request of a caller.

        Raises:
            ProblemError: it is one too many.
        """
        wait_s = self._callers.take(caller, time.monotonic())
        if wait_s:
            raise _too_many(f"{caller} sends too many requests", wait_s)

    def take_stranger(self, address: str | None) -> None:
        """Counts a request of nobody that is known.

        Raises:
            ProblemError: it is one too many from this address.
        """
        wait_s = self._strangers.take(_site(address), time.monotonic())
        if wait_s:
            raise _too_many("too many requests without a token that is known come from this address", wait_s)


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
