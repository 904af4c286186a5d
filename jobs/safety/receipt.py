"""A receipt: what was done for a job, in a form that anybody can check without the server.

A receipt is a signed document (signed_document.py). `results` has the root of a Merkle tree over all results, in the
order in which they were written, and `previous` the digest of the receipt that this installation made before.
docs/reference/receipts.md describes the format.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.escaping import shown
from cancellist.jobs.safety import signed_document
from cancellist.jobs.safety.canonical_json import canonical, parse, parse_canonical
from cancellist.jobs.safety.merkle import MerkleTree, leaf_hash, root_of
from cancellist.jobs.safety.receipt_form import (
    RESULT,
    TREE,
    TYPE,
    check_counts,
    check_members,
    check_result,
)
from cancellist.jobs.safety.signed_document import Document, SignedDocument, body_of, is_hash


@dataclass(slots=True)
class Leaves:
    """The results of a job as leaves: their tree, and how many have each outcome."""

    tree: MerkleTree = field(default_factory=MerkleTree)
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, result: Document) -> None:
        """Adds the next result."""
        self.tree.add(leaf_of(result))
        self.outcomes[result["outcome"]] += 1

    def section(self) -> dict[str, Any]:
        """What a receipt says of them."""
        return {"tree": TREE, "leaves": self.tree.count, "root": self.tree.root().hex()}


def leaf_of(result: Document) -> bytes:
    """The hash of a result's leaf."""
    return leaf_hash(canonical({name: result[name] for name in RESULT}))


class Receipt(SignedDocument):
    """A receipt that agrees with itself."""

    __slots__ = ()

    @property
    def job(self) -> str:
        """The id of its job."""
        return str(self.document["job"]["job"])

    @property
    def number(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.document["number"])

    @property
    def leaves(self) -> int:
        """The number of results."""
        return int(self.document["results"]["leaves"])

    @property
    def root(self) -> str:
        """The root over them."""
        return str(self.document["results"]["root"])


def make(content: Document, public_key: bytes | None, sign: Callable[[bytes], bytes]) -> bytes:
    """The line of a new receipt.

    Args:
        content: namespace, number, previous, made_at, job, counts and results.
        public_key: of whom it is signed by; None for nobody.
        sign: makes the signature of a body; not called where nobody signs.
    """
    return signed_document.make(TYPE, content, public_key, sign)


def read(line: bytes) -> Receipt:
    """Reads the line of a receipt and checks all that can be checked by itself, but its signature.

    Raises:
        ReceiptError: it does not agree with itself; the text says in what.
    """
    return of_document(_parsed(line, "receipt"))


def of_document(document: Any) -> Receipt:
    """The same for a receipt that was parsed."""
    if not isinstance(document, dict) or document.get("type") != TYPE:
        raise ReceiptError(f"it is no receipt: its type is not {TYPE!r}")
    check_members(document)
    body = body_of(document)
    check_counts(document)
    return Receipt(document, body)


def check_results(receipt: Receipt, leaves: Leaves) -> None:
    """Checks that these are the results that the receipt stands for.

    Raises:
        ReceiptError: they are not; the text says in what they differ.
    """
    if leaves.tree.count != receipt.leaves:
        raise ReceiptError(f"there are {leaves.tree.count:,} results, and it stands for {receipt.leaves:,}")
    told = receipt.document["counts"]["outcomes"]
    for outcome in sorted({*leaves.outcomes, *told}):
        if leaves.outcomes[outcome] != told.get(outcome, 0):
            raise ReceiptError(
                f"{leaves.outcomes[outcome]:,} results are {shown(outcome)}, and it says {told.get(outcome, 0):,}"
            )
    if leaves.tree.root().hex() != receipt.root:
        raise ReceiptError(
            "the root over the results is another than it says: a result was altered, or they are not in the order in "
            "which `cancellist results` writes them"
        )


def parse_result(line: bytes, job: str) -> dict[str, Any]:
    """Reads a line of `results --format jsonl`.

    Raises:
        ReceiptError: it is no result of that job, or has members that no receipt covers.
    """
    try:
        result = parse(line)
    except ValueError as error:
        raise ReceiptError(f"it is no result: {error}") from None
    check_result(result, job)
    found: dict[str, Any] = result
    return found


def proof(receipt: Receipt, result: Document, index: int, path: Sequence[bytes]) -> bytes:
    """The line of a proof: a receipt, one of its results, and that result's place in it."""
    place = {"index": index, "path": [one.hex() for one in path]}
    return canonical({"receipt": receipt.document, "result": {n: result[n] for n in RESULT}, "place": place}) + b"\n"


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt, and one result that is at this place in it, counted from 0."""

    receipt: Receipt
    result: Document
    index: int


def read_proof(line: bytes) -> Proof:
    """Reads and checks the line of a proof; the receipt's signature is left to `check_signature`.

    Raises:
        ReceiptError: it does not agree with itself.
    """
    document = _parsed(line, "proof")
    if not is_proof(document) or set(document) != {"receipt", "result", "place"}:
        raise ReceiptError("it is no proof: it has other members than receipt, result and place")
    receipt = of_document(document["receipt"])
    check_result(document["result"], receipt.job)
    place = document["place"]
    if not isinstance(place, dict) or set(place) != {"index", "path"} or type(place["index"]) is not int:
        raise ReceiptError("it is no proof: its place has other members than index and path")
    path = place["path"]
    if not isinstance(path, list) or not all(is_hash(one) for one in path):
        raise ReceiptError("it is no proof: its path is no list of hashes")
    leaf, hashes = leaf_of(document["result"]), [bytes.fromhex(one) for one in path]
    root = root_of(leaf, place["index"], receipt.leaves, hashes)
    if root is None or root.hex() != receipt.root:
        raise ReceiptError("the result is not at that place among the receipt's results")
    return Proof(receipt, document["result"], place["index"])


def parse_line(line: bytes) -> Any:
    """The document of a line, which is a receipt or a proof; nothing else of it is checked.

    Raises:
        ReceiptError: it is cut, or no canonical JSON.
    """
    return _parsed(line, "receipt")


def is_proof(document: Any) -> bool:
    """Whether a parsed line is a proof rather than a receipt."""
    return isinstance(document, dict) and "receipt" in document


def check_chain(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Checks that receipts of one installation follow each other without a gap; returns them in order.

    Raises:
        ReceiptError: one is missing, there twice, or does not follow the one before.
    """
    found = sorted(receipts, key=lambda one: one.number)
    for before, after in itertools.pairwise(found):
        if before.document["namespace"] != after.document["namespace"]:
            raise ReceiptError("they are of several namespaces, each of which has a chain of its own")
        if after.number == before.number:
            raise ReceiptError(f"receipt {after.number} is there twice")
        if after.number != before.number + 1:
            raise ReceiptError(f"receipt {before.number + 1} is missing")
        if after.document["previous"] != before.digest:
            raise ReceiptError(f"receipt {after.number} does not follow this receipt {before.number}")
    return found


def _parsed(line: bytes, what: str) -> Any:
    if not line.endswith(b"\n"):
        raise ReceiptError(f"the {what} is cut: it does not end with the end of a line")
    try:
        return parse_canonical(line[:-1])
    except ValueError as error:
        raise ReceiptError(f"it is no {what}: {error}") from None
