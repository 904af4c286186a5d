"""The keys that sign receipts: Ed25519 in PEM, the private one in a file that only its owner may read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from cancellist.jobs.errors import InputError, SettingsError
from cancellist.jobs.ledger.private_files import read_private, remove, write_new

SETTING: Final = "CANCELLIST_RECEIPT_KEY_FILE"
_LONGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs receipts.

    Attributes:
        public_key: 32 bytes.
        sign: makes the signature of a body.
    """

    public_key: bytes
    sign: Callable[[bytes], bytes] = field(repr=False)


def load_signer(path: Path) -> Signer:
    """Reads the private key.

    Raises:
        SettingsError: the file cannot be read, others can read it, or it holds no such key.
    """
    text = read_private(path, SETTING, _LONGEST)
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            f"{SETTING}: {path} holds no Ed25519 key in PEM without a password",
            hint="`cancellist receipt --new-key FILE` makes one",
        )
    return Signer(key.public_key().public_bytes_raw(), key.sign)


def load_public(path: Path) -> bytes:
    """Reads a public key, 32 bytes.

    Raises:
        InputError: the file cannot be read, or holds none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if b"PRIVATE KEY" in text:
        raise InputError(f"{path} holds a private key", hint="give the public one: `openssl pkey -in FILE -pubout`")
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path} holds no public Ed25519 key in PEM")
    return key.public_bytes_raw()


def make_key(path: Path) -> tuple[Path, bytes]:
    """Writes a new private key, and the public one beside it; returns that one's file, and the key itself.

    Both are written, or none; no file that is there is written over.

    Raises:
        OutputError: one of the files is there, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    beside = path.with_name(f"{path.name}.pub")
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        write_new(beside, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except BaseException:
        remove(path)
        raise
    return beside, public.public_bytes_raw()


def is_signature(key: bytes, signature: bytes, body: bytes) -> bool:
    """Whether a public key has made this signature of a body."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True
