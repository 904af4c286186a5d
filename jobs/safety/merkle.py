"""A Merkle tree as in RFC 6962, section 2.1: one hash stands for all leaves and for their order.

Hashes of leaves and of inner nodes begin with different bytes, so that neither can be taken for the other.

    leaf(d) = SHA-256(0x00 || d)        node(l, r) = SHA-256(0x01 || l || r)
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

EMPTY: Final = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree that is given its leaves one by one; it keeps one hash for each level.

    Attributes:
        count: the number of leaves.
    """

    def __init__(self) -> None:
        self.count = 0
        self._whole: list[bytes] = []
        """The roots of the complete subtrees, the largest first: one for each bit that is set in `count`."""

    def add(self, leaf: bytes) -> None:
        """Adds the hash of the next leaf."""
        self.count += 1
        size = self.count
        while not size & 1:
            leaf = node_hash(self._whole.pop(), leaf)
            size >>= 1
        self._whole.append(leaf)

    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._whole:
            return EMPTY
        *rest, root = self._whole
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


class PathBuilder:
    """Finds the audit path of one leaf while it is given all leaves, in order; it keeps one hash for each level.

    Attributes:
        index: the place of the leaf, from 0.
        count: the number of all leaves.
    """

    def __init__(self, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._siblings = _siblings(index, count)
        self._trees = [MerkleTree() for _ in self._siblings]
        self._in_order = sorted(zip(self._siblings, self._trees, strict=True), key=lambda pair: pair[0], reverse=True)
        self._at = 0

    def add(self, leaf: bytes) -> None:
        """Takes the hash of the next leaf."""
        if self._at != self.index:
            (_, end), tree = self._in_order[-1]
            tree.add(leaf)
            if self._at + 1 == end:
                self._in_order.pop()
        self._at += 1

    def path(self) -> list[bytes]:
        """The hashes beside the way from the leaf to the root, the leaf's neighbour first."""
        if self._at != self.count:
            raise ValueError(f"{self._at} leaves were given, not {self.count}")
        return [tree.root() for tree in self._trees]


def root_of(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its audit path lead to (RFC 9162, 2.1.3.2); None where the path has a wrong length.

    Args:
        leaf: the hash of the leaf.
        index: its place, from 0.
        count: the number of all leaves.
        path: the hashes beside the way to the root, the leaf's neighbour first.
    """
    if not 0 <= index < count:
        return None
    at, last = index, count - 1
    for beside in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            leaf = node_hash(beside, leaf)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            leaf = node_hash(leaf, beside)
        at, last = at >> 1, last >> 1
    return leaf if last == 0 else None


def _siblings(index: int, count: int) -> list[tuple[int, int]]:
    """The leaves below each node beside the way from a leaf to the root, as begin and end; the lowest first."""
    if not 0 <= index < count:
        raise ValueError(f"there is no leaf {index} of {count}")
    begin, end = 0, count
    found = []
    while end - begin > 1:
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]
