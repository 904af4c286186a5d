"""References of a seeded world: `EC-XXX-XXX-XXX`, made from (seed, index) and decoded back to the index.

The map is affine modulo 36**9 with a multiplier prime to 36, hence a bijection: however many consignments there are, no
table of references is kept, and a reference is known or unknown by arithmetic alone. Pure.
"""

from functools import lru_cache
from hashlib import blake2b
from itertools import product
from string import ascii_uppercase, digits
from typing import Final, NamedTuple

REFERENCES: Final = 36**9
"""How many references there are."""

_TRIPLES: Final = ["".join(triple) for triple in product(digits + ascii_uppercase, repeat=3)]
_VALUES: Final = {triple: value for value, triple in enumerate(_TRIPLES)}
_BITS_64: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


class _Affine(NamedTuple):
    multiplier: int
    offset: int
    inverse: int


@lru_cache(maxsize=4096)
def _key(seed: int, purpose: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest())


@lru_cache(maxsize=64)
def _affine(seed: int) -> _Affine:
    multiplier = _key(seed, "multiplier") % (REFERENCES // 6) * 6 + 5
    return _Affine(multiplier, _key(seed, "offset") % REFERENCES, pow(multiplier, -1, REFERENCES))


def draw(seed: int, purpose: str, number: int) -> int:
    """Returns 64 bits that look random and are the same for the same arguments (the splitmix64 sequence)."""
    bits = (_key(seed, purpose) + number * _GOLDEN) & _BITS_64
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _BITS_64
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _BITS_64
    return bits ^ (bits >> 31)


def chance(seed: int, purpose: str, number: int) -> float:
    """Returns a number from 0 up to, not including, 1, the same for the same arguments."""
    return (draw(seed, purpose, number) >> 11) / (1 << 53)


def spell(number: int) -> str:
    """Writes a number below 36**9 as a reference."""
    high, low = divmod(number, 36**3)
    high, middle = divmod(high, 36**3)
    return f"EC-{_TRIPLES[high]}-{_TRIPLES[middle]}-{_TRIPLES[low]}"


def reference(seed: int, index: int) -> str:
    """Returns the reference of the consignment at an index, from 0 up."""
    multiplier, offset, _ = _affine(seed)
    return spell((multiplier * index + offset) % REFERENCES)


def index_of(seed: int, text: str) -> int | None:
    """Returns the index that a reference stands for, in any case of letters; None where it is not spelt as one.

    Every well-spelt reference has an index: whether a consignment is there is for the world to say.
    """
    try:
        prefix, high, middle, low = text.upper().split("-")
        number = (_VALUES[high] * 36**3 + _VALUES[middle]) * 36**3 + _VALUES[low]
    except (KeyError, ValueError):
        return None
    # Some letters outside ASCII have a capital inside it.
    if prefix != "EC" or not text.isascii():
        return None
    _, offset, inverse = _affine(seed)
    return (number - offset) * inverse % REFERENCES
