"""A signed document: one line of canonical JSON that can be checked without the server.

Its body is the document without `digest` and `signature`:

    digest = SHA-256(body)        signature = Ed25519(body) by the key that `signed_by` names
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cancellist.jobs.errors import ReceiptError
from cancellist.jobs.safety.canonical_json import canonical

Document = Mapping[str, Any]
IsSignature = Callable[[bytes, bytes, bytes], bool]
"""Whether a key (32 bytes) has made a signature (64 bytes) of a body."""

NOT_SIGNED: Final = "This receipt is not signed: it does not show who made it."
SIGNED: Final = "This receipt is signed by the key in signed_by (Ed25519, in hexadecimal)."
_BESIDE_THE_BODY: Final = frozenset({"digest", "signature"})
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A document that agrees with itself. Whether its signature is good, `check_signature` says."""

    document: Document
    body: bytes

    @property
    def digest(self) -> str:
        """The hash of its body."""
        return str(self.document["digest"])

    @property
    def signed_by(self) -> str | None:
        """The key that has signed it; None where none has."""
        key: str | None = self.document["signed_by"]
        return key


def make(kind: str, content: Document, public_key: bytes | None, sign: Callable[[bytes], bytes]) -> bytes:
    """The line of a new document.

    Args:
        kind: its type.
        content: the members but type, note, signed_by, digest and signature.
        public_key: of whom it is signed by; None for nobody.
        sign: makes the signature of a body; not called where nobody signs.
    """
    signed_by = public_key.hex() if public_key else None
    document = {**content, "type": kind, "note": SIGNED if public_key else NOT_SIGNED, "signed_by": signed_by}
    body = canonical(document)
    signature = sign(body).hex() if public_key else None
    return canonical({**document, "digest": sha256(body).hexdigest(), "signature": signature}) + b"\n"


def body_of(document: Document) -> bytes:
    """The body of a document.

    Raises:
        ReceiptError: its digest is of another one.
    """
    body = canonical({name: value for name, value in document.items() if name not in _BESIDE_THE_BODY})
    if sha256(body).hexdigest() != document["digest"]:
        raise ReceiptError("its digest does not agree with its content: it was altered")
    return body


def is_hash(value: Any) -> bool:
    """Whether this is a SHA-256, in lower case."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def check_signing(document: Document) -> None:
    """Checks that what says that a document is signed fits together.

    Raises:
        ReceiptError: it does not.
    """
    key, signature = document["signed_by"], document["signature"]
    if (key is None) != (signature is None) or document["note"] != (SIGNED if key else NOT_SIGNED):
        raise ReceiptError("it is said to be signed, and its signature is missing, or the other way round")
    if key is not None and not (is_hash(key) and _SIGNATURE.fullmatch(signature)):
        raise ReceiptError("its key or its signature has a wrong form")


def check_signature(receipt: SignedDocument, is_signature: IsSignature) -> None:
    """Checks the signature by the key that the receipt itself names, where it is signed.

    Raises:
        ReceiptError: the signature is not of that key and this content.
    """
    key, signature = receipt.signed_by, receipt.document["signature"]
    if key and not is_signature(bytes.fromhex(key), bytes.fromhex(signature), receipt.body):
        raise ReceiptError(f"its signature is not by the key {key[:16]}… that it names: it was altered")


def check_signer(receipt: SignedDocument, keys: Iterable[bytes]) -> None:
    """Checks that one of these keys has signed it.

    Raises:
        ReceiptError: it is not signed, or by another key.
    """
    if receipt.signed_by is None:
        raise ReceiptError("it is not signed, so no key can verify it")
    if bytes.fromhex(receipt.signed_by) not in set(keys):
        raise ReceiptError(f"it is signed by another key than the one given: by {receipt.signed_by[:16]}…")
