"""A receipt: what was done for a job, in a form that anybody can check without the server.

A receipt is one line of canonical JSON. Its body is the document without `digest` and `signature`:

    digest = SHA-256(body)        signature = Ed25519(body) by the key that `signed_by` names

`results` has the root of a Merkle tree over all results, in the order in which they were written, and `previous` the
digest of the receipt that this installation made before. docs/reference/receipts.md describes the format.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.escaping import shown
from cancellist.jobs.safety.canonical_json import canonical, parse, parse_canonical
from cancellist.jobs.safety.merkle import MerkleTree, leaf_hash, root_of
from cancellist.jobs.safety.receipt_form import (
    NOT_SIGNED,
    RESULT,
    SIGNED,
    TREE,
    TYPE,
    Document,
    check_counts,
    check_members,
    check_result,
    is_hash,
)

IsSignature = Callable[[bytes, bytes, bytes], bool]
"""Whether a key (32 bytes) has made a signature (64 bytes) of a body."""


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


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that agrees with itself. Whether its signature is good, `check_signature` says."""

    document: Document
    body: bytes

    @property
    def job(self) -> str:
        """The id of its job."""
        return str(self.document["job"]["job"])

    @property
    def number(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.document["number"])

    @property
    def digest(self) -> str:
        """The hash of its body."""
        return str(self.document["digest"])

    @property
    def signed_by(self) -> str | None:
        """The key that has signed it; None where none has."""
        key: str | None = self.document["signed_by"]
        return key

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
    signed_by = public_key.hex() if public_key else None
    document = {**content, "type": TYPE, "note": SIGNED if public_key else NOT_SIGNED, "signed_by": signed_by}
    body = canonical(document)
    signature = sign(body).hex() if public_key else None
    return canonical({**document, "digest": sha256(body).hexdigest(), "signature": signature}) + b"\n"


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
    body = canonical({name: value for name, value in document.items() if name not in {"digest", "signature"}})
    if sha256(body).hexdigest() != document["digest"]:
        raise ReceiptError("its digest does not agree with its content: it was altered")
    check_counts(document)
    return Receipt(document, body)


class Signed(Protocol):
    """A receipt of a job or of a reinstatement."""

    @property
    def document(self) -> Document:
        """All its members."""

    @property
    def body(self) -> bytes:
        """What is signed."""

    @property
    def signed_by(self) -> str | None:
        """The key that has signed it; None where none has."""


def check_signature(receipt: Signed, is_signature: IsSignature) -> None:
    """Checks the signature by the key that the receipt itself names, where it is signed.

    Raises:
        ReceiptError: the signature is not of that key and this content.
    """
    key, signature = receipt.signed_by, receipt.document["signature"]
    if key and not is_signature(bytes.fromhex(key), bytes.fromhex(signature), receipt.body):
        raise ReceiptError(f"its signature is not by the key {key[:16]}… that it names: it was altered")


def check_signer(receipt: Signed, keys: Iterable[bytes]) -> None:
    """Checks that one of these keys has signed it.

    Raises:
        ReceiptError: it is not signed, or by another key.
    """
    if receipt.signed_by is None:
        raise ReceiptError("it is not signed, so no key can verify it")
    if bytes.fromhex(receipt.signed_by) not in set(keys):
        raise ReceiptError(f"it is signed by another key than the one given: by {receipt.signed_by[:16]}…")


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
