"""The ledger's Lua scripts: one file an operation, each sent as the shared parts and its own text.

Before all stand questions: whether the user may run every command that the script may come to, and whether the fixed
keys are of their kinds (required_commands.py).
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from cancellist.jobs.ledger.scripts.required_commands import asking, commands_of, functions, looking
from cancellist.jobs.ledger.server.connection import translated

_SHARED = (
    "keys", "pieces", "queues", "groups", "results", "progress_samples", "jobs", "leases", "flow", "batch_limit",
    "claim_choice", "claim_admission", "claims", "sealing", "refusal_texts", "retry_budget",
)  # fmt: skip
_ADMITS = frozenset({"submit", "intake"})
"""Scripts that take in new work: refused by a full server. All others must go on there, since draining frees it."""

NAMES = (
    "submit", "discard", "seal", "intake", "reject", "claim", "settle", "release", "renew", "sweep", "slice", "pause",
    "resume", "abort", "trim", "flow", "upload",
)  # fmt: skip


class Script:
    """One operation: its text, its digest, and the commands that it may run."""

    def __init__(self, name: str) -> None:
        folder = files("cancellist.jobs.ledger.scripts") / "lua"
        shared = [(folder / "shared" / f"{part}.lua").read_text() for part in _SHARED]
        own = (folder / f"{name}.lua").read_text()
        flags = "#!lua" if name in _ADMITS else "#!lua flags=allow-oom"
        self.name = name
        self.commands = [
            words for words in commands_of(f"{shared[0]}\n{own}", functions(shared)) if not _workers_alone(name, words)
        ]
        self.text = "\n".join([flags, asking(self.commands), looking(self.commands), *shared, own])
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _workers_alone(name: str, words: tuple[str, ...]) -> bool:
    """Whether only a worker comes to a command of a script: where it seals an entry of the intake stream."""
    return name == "seal" and words[0].startswith("X")


class Scripts:
    """Runs the operations on one connection pool."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._scripts = {name: Script(name) for name in NAMES}

    async def run(self, name: str, keys: Sequence[bytes], *args: str | bytes | int) -> Any:
        """Runs one operation and answers as its file says.

        Raises:
            LedgerError: as `connection.translated`.
        """
        script = self._scripts[name]
        with translated():
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:
                return await self._redis.execute_command("EVAL", script.text, len(keys), *keys, *args)

    def text(self, name: str) -> Script:
        """The script of that name, to be pipelined."""
        return self._scripts[name]
