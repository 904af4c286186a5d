"""The receipt of a run that has created consignments anew, in a form that can be checked without the server.

It is a signed document (signed_document.py), as a job's receipt is. It has the hash of the file of old and new
references as it was at the run's end. That file is only ever added to, so the hash covers all earlier runs too.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.safety import signed_document
from cancellist.jobs.safety.reinstatement import Fate
from cancellist.jobs.safety.signed_document import SignedDocument, body_of, check_signing, is_hash

TYPE: Final = "cancellist reinstatement 1"
_MEMBERS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "type": str, "note": str, "namespace": str, "run": str, "target": str, "account": str, "host": str, "by": str,
    "began_at": str, "ended_at": str, "state": str, "why": (str, type(None)), "content": str,
    "approvals": dict, "counts": dict, "file": dict, "signed_by": (str, type(None)), "digest": str,
    "signature": (str, type(None)),
}  # fmt: skip
_APPROVALS: Final = frozenset({"wanted", "given", "planned_by"})
_FILE: Final = frozenset({"name", "bytes", "sha256"})


class ReinstatementReceipt(SignedDocument):
    """A receipt that agrees with itself."""

    __slots__ = ()

    @property
    def run(self) -> str:
        """The name of the run."""
        return str(self.document["run"])

    @property
    def counts(self) -> Mapping[str, int]:
        """How many have each outcome."""
        counts: Mapping[str, int] = self.document["counts"]
        return counts


def make(content: Mapping[str, Any], public_key: bytes | None, sign: Callable[[bytes], bytes]) -> bytes:
    """The line of a new receipt.

    Args:
        content: the members but type, note, signed_by, digest and signature.
        public_key: of whom it is signed by; None for nobody.
        sign: makes the signature of a body; not called where nobody signs.
    """
    return signed_document.make(TYPE, content, public_key, sign)


def is_receipt(document: Any) -> bool:
    """Whether a parsed line says that it is the receipt of a reinstatement."""
    return isinstance(document, dict) and document.get("type") == TYPE


def of_document(document: Mapping[str, Any]) -> ReinstatementReceipt:
    """Checks all of a parsed receipt that can be checked by itself, but its signature.

    Raises:
        ReceiptError: it does not agree with itself; the text says in what.
    """
    if set(document) != set(_MEMBERS):
        raise ReceiptError("it is no receipt of a reinstatement: members are missing, or not known")
    for name, kind in _MEMBERS.items():
        if not isinstance(document[name], kind):
            raise ReceiptError(f"it is no receipt of a reinstatement: {name} is of the wrong type")
    check_signing(document)
    _check_parts(document)
    return ReinstatementReceipt(document, body_of(document))


def check_file(receipt: ReinstatementReceipt, text: bytes) -> None:
    """Checks that a file of old and new references begins as it did when the receipt was made.

    Raises:
        ReceiptError: it does not.
    """
    told = receipt.document["file"]
    if len(text) < told["bytes"]:
        raise ReceiptError(f"the file has {len(text):,} bytes, and it had {told['bytes']:,}: lines were taken away")
    if sha256(text[: told["bytes"]]).hexdigest() != told["sha256"]:
        raise ReceiptError("the file of old and new references was altered since")


def _check_parts(document: Mapping[str, Any]) -> None:
    approvals, counts, file = document["approvals"], document["counts"], document["file"]
    if set(approvals) != _APPROVALS or set(file) != _FILE or not is_hash(file["sha256"]):
        raise ReceiptError("it is no receipt of a reinstatement: approvals or file have other members")
    if not set(counts) <= set(Fate) or not all(type(one) is int for one in (*counts.values(), file["bytes"])):
        raise ReceiptError("it is no receipt of a reinstatement: its counts are no numbers of outcomes")
