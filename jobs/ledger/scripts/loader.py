"""Loads and runs the ledger's Lua scripts: one file for each operation, sent with what it needs of the shared parts.

Each script first checks that its user may run every command that it may reach, and that the fixed keys hold the right
kinds of values (required_commands.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from cancellist.jobs.ledger.scripts.needed_parts import SharedParts, without_comments
from cancellist.jobs.ledger.scripts.required_commands import JOBS, asking, commands_of, functions, looking
from cancellist.jobs.ledger.server.connection import translated

_SHARED = (
    "keys", "kinds", "audit", "stop_all", "hosts", "pieces", "queues", "groups", "results", "progress_samples", "jobs",
    "start_leases", "safeguards", "failure_stop", "canary", "guards", "approvals", "leases", "flow", "batch_limit",
    "claim_choice", "claim_admission", "claims", "plans", "reinstatements", "sealing", "refusal_texts", "retry_budget",
    "webhooks",
)  # fmt: skip
_ADMITS = frozenset({"submit", "intake", "webhook_add", "webhook_make", "plan_make", "reinstate_claim"})
"""Scripts that add work. A full server refuses them; it runs all others, since draining frees memory."""

NAMES = (
    "submit", "discard", "seal", "intake", "reject", "claim", "settle", "release", "renew", "sweep", "slice", "pause",
    "resume", "abort", "trim", "flow", "upload", "update", "permit", "webhook_add", "webhook_remove", "webhook_enable",
    "webhook_rotate", "webhook_replay", "webhook_rewind", "webhook_make", "webhook_results", "webhook_record",
    "webhook_lease", "approve", "census", "stop_all", "stop_file", "resume_all", "confirm_host",
    "plan_make", "plan_take", "plan_lease", "plan_report",
    "receipt", "audit", "reinstate_claim", "reinstate_note", "reinstate_approve",
)  # fmt: skip
_ON: Final = {"audit": "ARGV[1] .. 'audit'"}
"""The key, in Lua, on which a script asks for its rights; the list of jobs for all others."""


class Script:
    """One operation: its text, its digest, and the commands that it may run."""

    def __init__(self, name: str) -> None:
        shared, own = _shared(), _read(name)
        flags = "#!lua" if name in _ADMITS else "#!lua flags=allow-oom"
        self.name = name
        self.commands = [
            words for words in commands_of(f"{shared[0]}\n{own}", _functions()) if not _workers_alone(name, words)
        ]
        own = without_comments(own)
        self.text = "\n".join(
            [flags, asking(self.commands, _ON.get(name, JOBS)), looking(self.commands), _parts().needed(own), own]
        )
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _read(name: str) -> str:
    return (files("cancellist.jobs.ledger.scripts") / "lua" / f"{name}.lua").read_text()


@cache
def _shared() -> tuple[str, ...]:
    """The parts that scripts share, each after those that it uses."""
    return tuple(_read(f"shared/{part}") for part in _SHARED)


@cache
def _parts() -> SharedParts:
    return SharedParts(_shared())


@cache
def _functions() -> Mapping[str, str]:
    return functions(_shared())


def _workers_alone(name: str, words: tuple[str, ...]) -> bool:
    """Whether only workers reach a command of a script: those of `seal` for entries of the intake stream."""
    return name == "seal" and (words[0].startswith("X") or words[0] == "EXPIRE")


class Scripts:
    """Runs the operations on one connection pool."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._scripts: dict[str, Script] = {}

    async def run(self, name: str, keys: Sequence[bytes], *args: str | bytes | int) -> Any:
        """Runs one operation; its file describes the answer.

        Raises:
            LedgerError: the server does not run it (redis_errors.py).
        """
        script = self.text(name)
        with translated():
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:
                return await self._redis.execute_command("EVAL", script.text, len(keys), *keys, *args)

    def text(self, name: str) -> Script:
        """The script of that name, for use in a pipeline; it is put together when it is first asked for."""
        if name not in self._scripts:
            self._scripts[name] = Script(name)
        return self._scripts[name]
