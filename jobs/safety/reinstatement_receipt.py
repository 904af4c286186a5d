"""The receipt of a run that has created consignments anew, in a form that can be checked without the server.

It is one line of canonical JSON, signed as a job's receipt is (receipt.py). It has the hash of the file of old and new
references as it was at the run's end. That file is only ever added to, so the hash covers all earlier runs too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.safety.canonical_json import canonical
from cancellist.jobs.safety.receipt_form import NOT_SIGNED, SIGNED, check_signing, is_hash
from cancellist.jobs.safety.reinstatement import Fate

TYPE: Final = "cancellist reinstatement 1"
_MEMBERS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "type": str, "note": str, "namespace": str, "run": str, "target": str, "account": str, "host": str, "by": str,
    "began_at": str, "ended_at": str, "state": str, "why": (str, type(None)), "content": str,
    "approvals": dict, "counts": dict, "file": dict, "signed_by": (str, type(None)), "digest": str,
    "signature": (str, type(None)),
}  # fmt: skip
_APPROVALS: Final = frozenset({"wanted", "given", "planned_by"})
_FILE: Final = frozenset({"name", "bytes", "sha256"})


@dataclass(frozen=True, slots=True)
class ReinstatementReceipt:
    """A receipt that agrees with itself; its signature is still to be checked."""

    document: Mapping[str, Any]
    body: bytes

    @property
    def run(self) -> str:
        """The name of the run."""
        return str(self.document["run"])

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
    signed_by = public_key.hex() if public_key else None
    document = {**content, "type": TYPE, "note": SIGNED if public_key else NOT_SIGNED, "signed_by": signed_by}
    body = canonical(document)
    signature = sign(body).hex() if public_key else None
    return canonical({**document, "digest": sha256(body).hexdigest(), "signature": signature}) + b"\n"


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
    body = canonical({name: value for name, value in document.items() if name not in {"digest", "signature"}})
    if sha256(body).hexdigest() != document["digest"]:
        raise ReceiptError("its digest does not agree with its content: it was altered")
    return ReinstatementReceipt(document, body)


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
