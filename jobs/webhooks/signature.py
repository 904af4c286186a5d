"""Signatures of deliveries by the Standard Webhooks specification, version 1.0.0: symmetric, `v1`.

A secret is derived from WEBHOOK_KEY, so that it is stored nowhere: the same key, endpoint and version give it again.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

_PREFIX: Final = "whsec_"
_SHORTEST: Final = 24
_LONGEST: Final = 512
MOST_KEYS: Final = 2
OVERLAP_S: Final = 24 * 3600
"""For so long after a rotation the secret before it signs, too."""


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Reads WEBHOOK_KEY: one key, or the new one and the old one with a comma between.

    Raises:
        ValueError: it is none. The text holds nothing of it.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not 0 < len(words) <= MOST_KEYS:
        raise ValueError("must be one key, or the new and the old one with a comma between")
    return tuple(map(_key, words))


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError("must be at least 24 random bytes in base64; `openssl rand -base64 32` makes such a key")
    return key


def secret(key: bytes, endpoint: str, version: int) -> bytes:
    """The signing secret of a version of an endpoint."""
    return hmac.digest(key, f"cancellist webhook {endpoint} {version}".encode(), "sha256")


def shown(signing: bytes) -> str:
    """A secret as its receiver is given it."""
    return _PREFIX + base64.b64encode(signing).decode()


def fingerprint(signing: bytes) -> str:
    """Tells two secrets apart, and says nothing else of them."""
    return hashlib.sha256(b"fingerprint " + signing).hexdigest()[:16]


def secrets(
    keys: Sequence[bytes], endpoint: str, version: int, *, rotated_at_s: float | None, now_s: float
) -> list[bytes]:
    """The secrets that sign now: those of each key, and for a day after a rotation also those before it."""
    versions = [version]
    if rotated_at_s is not None and now_s - rotated_at_s < OVERLAP_S:
        versions.append(version - 1)
    return [secret(key, endpoint, one) for one in versions for key in keys]


def signed(delivery: str, at_s: int, body: bytes, signing: Sequence[bytes]) -> Mapping[str, str]:
    """The headers of an attempt."""
    content = b".".join([delivery.encode(), str(at_s).encode(), body])
    signatures = [base64.b64encode(hmac.digest(one, content, "sha256")).decode() for one in signing]
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
