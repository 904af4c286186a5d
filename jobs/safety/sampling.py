"""Draws a sample of references, and says what it shows of all of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.safety.reference_set import ReferenceSet

CONFIDENCE: Final = 95
_Z: Final = 1.959963984540054
"""The two-sided quantile of the normal distribution for 95 %."""
WHOLE: Final = 100_000
"""Most references that are all compared with those of other jobs; of more the sample is."""


def wilson(found: int, of: int) -> tuple[float, float]:
    """The interval in which a share lies with a confidence of 95 %, of which `found` among `of` were seen.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not of:
        return 0.0, 1.0
    share, spread = found / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


@dataclass(frozen=True, slots=True)
class Portion:
    """How many of all references are of a kind: exactly where all were read, else as far as a sample shows.

    Attributes:
        found: how many of those that were read.
        read: how many were read.
        total: how many there are.
    """

    found: int
    read: int
    total: int

    @property
    def exact(self) -> bool:
        """Whether all were read."""
        return self.read == self.total

    @property
    def share(self) -> float:
        """The share among those that were read."""
        return self.found / self.read if self.read else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the share."""
        return (self.share, self.share) if self.exact else wilson(self.found, self.read)

    @property
    def count(self) -> int:
        """How many there are of all, as far as is known."""
        return self.found if self.exact else round(self.share * self.total)

    @property
    def counts(self) -> tuple[int, int]:
        """The interval of their number: never fewer than were found, nor more than were not found to be another."""
        if self.exact:
            return self.found, self.found
        low, high = self.interval
        most = self.total - (self.read - self.found)
        return max(self.found, math.floor(low * self.total)), min(most, math.ceil(high * self.total))

    def document(self) -> dict[str, Any]:
        """The JSON of it."""
        low, high = self.interval
        least, most = self.counts
        return {
            "count": self.count, "least": least, "most": most, "share": round(self.share, 6),
            "share_least": round(low, 6), "share_most": round(high, 6),
        }  # fmt: skip


class Survey:
    """Takes in all references of an input bit by bit: counts them, digests them, and draws a sample.

    Attributes:
        content: the digest of the references.
        drawn: all of them while they are few, else a sample. Each set of that size is as likely as any other (Vitter,
            "Random sampling with a reservoir", 1985).

    Args:
        most: the size of the sample.
        below: gives a random whole number from 0 to below its argument.
    """

    def __init__(self, most: int, below: Callable[[int], int]) -> None:
        self.content = ReferenceSet()
        self.drawn: list[str] = []
        self._whole: set[str] | None = set()
        self._most = most
        self._below = below

    def add(self, references: Sequence[str]) -> None:
        """Takes in references that have not come before."""
        for number, reference in enumerate(references, self.content.count + 1):
            if len(self.drawn) < self._most:
                self.drawn.append(reference)
            elif (place := self._below(number)) < self._most:
                self.drawn[place] = reference
        self.content.add(references)
        if self._whole is not None:
            self._whole.update(references)
            if len(self._whole) > WHOLE:
                self._whole = None

    @property
    def compared(self) -> frozenset[str]:
        """The references that are looked for in other jobs: all, or of very many the sample."""
        return frozenset(self.drawn if self._whole is None else self._whole)
