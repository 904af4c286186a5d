"""The digest of a set of references: the same in whatever order they come, and however they are split.

Each reference is hashed to 4,096 bits, and the hashes are added modulo 2^4096 (Bellare and Micciancio, "A new paradigm
for collision-free hashing", 1997). Two sets with the same digest cannot be found by chance, nor on purpose: the best
known attack on a sum of n bits (Wagner, "A generalized birthday problem", 2002) takes about 2^(2 * sqrt(n)) steps, here
2^128. No reference is remembered, so the digest of any number of them takes no memory.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Final

_BYTES: Final = 512
_MODULUS: Final = 1 << (8 * _BYTES)


class ReferenceSet:
    """The digest of references that come bit by bit, each once.

    Attributes:
        count: how many have come.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, references: Iterable[str]) -> None:
        """Adds references that have not come before, in any order."""
        total, hashed = self._sum, hashlib.shake_128
        for reference in references:
            total += int.from_bytes(hashed(reference.encode()).digest(_BYTES), "little")
            self.count += 1
        self._sum = total % _MODULUS

    def digest(self) -> str:
        """The digest of the set, hexadecimal."""
        return hashlib.sha256(b"%d:" % self.count + self._sum.to_bytes(_BYTES, "little")).hexdigest()


def binding(account: str, host: str, content: str) -> str:
    """The digest that a plan shows: of its account, of the platform's host, and of the digest of its references."""
    return hashlib.sha256(json.dumps([account, host, content]).encode()).hexdigest()
