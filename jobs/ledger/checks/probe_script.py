"""Tries a small script on a server, since its own facts may be missing or not enough."""

import hashlib
import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from redis.exceptions import NoScriptError

from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok
from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

CHECK: Final = "probe"
_BEHIND: Final = ":calls"


@dataclass(frozen=True, slots=True)
class Probed:
    """The result of the script; name and version are empty where the server does not give them.

    Attributes:
        asks_rights: whether a script can ask for its user's rights, so that none is stopped halfway.
    """

    name: str
    version: str
    asks_rights: bool


async def probe(ledger: Ledger) -> Probed:
    """Runs the script by its text and by its digest. It leaves nothing behind.

    Raises:
        LedgerRefusedError: this user may not run scripts, or a command of this one.
        LedgerUnfitError: the ledger's scripts cannot work on this server.
    """
    text = (files("cancellist.jobs.ledger.scripts") / "lua" / "probe.lua").read_text()
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    words = (1, ledger.keys.job(f"doctor-{secrets.token_hex(8)}"), _BEHIND)
    with translated():
        try:
            await ledger.redis.execute_command("EVALSHA", digest, *words)
        except NoScriptError:
            await ledger.redis.execute_command("EVAL", text, *words)
        try:
            reply: Any = await ledger.redis.execute_command("EVALSHA", digest, *words)
        except NoScriptError:
            raise LedgerUnfitError(
                "the server does not keep scripts: check that nothing runs SCRIPT FLUSH in a loop"
            ) from None
    name, version, asks = reply
    return Probed(name.decode(errors="replace"), version.decode(errors="replace"), bool(asks))


def judged(probed: Probed) -> CheckResult:
    """The check's result for a script that ran."""
    if not probed.asks_rights:
        return failed(CHECK, "its scripts cannot ask what their user may do (acl_check_cmd)",
                      "no script of the ledger runs", "use Redis 7.0 or newer, or Valkey 8 or newer")  # fmt: skip
    return ok(CHECK, "a script wrote and read a key that is declared and one that is not; both are gone again")
