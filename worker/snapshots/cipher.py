"""The key that encrypts snapshots: AES-256-GCM, in a file that only its owner may read."""

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cancellist.jobs.errors import SettingsError
from cancellist.jobs.ledger.private_files import read_private, write_new
from cancellist.jobs.safety.snapshot import KEY_BYTES, NONCE_BYTES, key_id

SETTING: Final = "CANCELLIST_SNAPSHOT_KEY_FILE"
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class Cipher:
    """Encrypts and decrypts with one key; `id` tells it from others."""

    id: str
    _aead: AESGCM = field(repr=False)

    def seal(self, text: bytes, beside: bytes) -> bytes:
        """Encrypts a text under a nonce of its own, which comes first; `beside` is authenticated with it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, text, beside)

    def open(self, sealed: bytes, beside: bytes) -> bytes:
        """Decrypts what `seal` has made.

        Raises:
            ValueError: it was altered, or another key has made it.
        """
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], beside)
        except InvalidTag:
            raise ValueError("it was altered") from None


def cipher_of(key: bytes) -> Cipher:
    """The cipher of a key of 32 bytes."""
    return Cipher(key_id(key), AESGCM(key))


def load_cipher(path: Path) -> Cipher:
    """Reads the key.

    Raises:
        SettingsError: the file cannot be read, others can read it, or it holds no such key.
    """
    text = read_private(path, SETTING, _LONGEST)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{SETTING}: {path} holds no key of {KEY_BYTES} bytes in base64",
            hint="`cancellist snapshots --new-key FILE` makes one",
        )
    return cipher_of(key)


def make_key(path: Path) -> None:
    """Writes a new key into a new file that only its owner may read.

    Raises:
        OutputError: the file is there, or cannot be written.
    """
    write_new(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
