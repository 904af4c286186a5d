"""References in the platform's form, any number of them, always the same."""

from itertools import product

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TRIPLES = ["".join(triple) for triple in product(ALPHABET, repeat=3)]


def references(count: int, first: int = 0) -> list[str]:
    """Return `count` different references `EC-XXX-XXX-XXX`, counted up in base 36 from number `first`."""
    size = len(TRIPLES)
    return [
        f"EC-{TRIPLES[number // size // size]}-{TRIPLES[number // size % size]}-{TRIPLES[number % size]}"
        for number in range(first, first + count)
    ]


def lists(count: int, size: int) -> list[list[str]]:
    """Return `count` references in lists of `size`; the last may be shorter."""
    whole = references(count)
    return [whole[start : start + size] for start in range(0, count, size)]
