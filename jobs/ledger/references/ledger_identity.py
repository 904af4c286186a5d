"""Tells one ledger from any other: the word by which it is known, and the file of its reference index."""

import contextlib
import hashlib
import re
import secrets
from typing import Final

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

_SAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")


async def identity_of(ledger: Ledger) -> str:
    """A word that tells this ledger from any other, also from one that was flushed and begun anew.

    It is empty where no process that may write has asked for it yet.
    """
    key = identity_key(ledger)
    with translated():
        found = await ledger.redis.get(key)
    if found is None:
        with contextlib.suppress(LedgerError), translated():
            await ledger.redis.set(key, secrets.token_hex(8), nx=True)
        with translated():
            found = await ledger.redis.get(key)
    return found.decode(errors="backslashreplace") if found else ""


def identity_key(ledger: Ledger) -> str:
    """The key of that word."""
    return f"{ledger.keys.prefix}identity"


def index_name(namespace: str, identity: str) -> str:
    """The file's name: a namespace may hold signs that a name must not."""
    digest = hashlib.sha256(f"{namespace}\0{identity}".encode()).hexdigest()[:16]
    return f"references-{_SAFE.sub('_', namespace)[:40]}-{digest}.sqlite"
