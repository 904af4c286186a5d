"""The commands that each role needs, and a check whether this user may run them.

Every command is queued in a transaction that is then discarded. The server checks the permissions for the real keys,
and runs nothing. So the user needs no right to read the ACL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, skipped
from cancellist.jobs.ledger.keys import GROUP, Keys
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.roles import Role

_SHOWN: Final = 5
Command = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Places:
    """A key of each kind: the ledger's, an account's by their last words, a job's, and arq's for a drain."""

    keys: Keys
    account: str
    own: Mapping[str, str]
    job: str
    arq: Mapping[str, str]

    @classmethod
    def of(cls, keys: Keys, account: str) -> Self:
        own = {name.decode().rpartition(":")[2]: name.decode() for name in keys.of_account(account)}
        arq = {name: f"arq:{name}:{keys.namespace}:0" for name in ("job", "result", "retry", "in-progress")}
        return cls(keys, account, own, keys.job("0"), arq)


def needed(role: Role, keys: Keys, account: str = DEFAULT_ACCOUNT) -> list[Command]:
    """The commands of a role, with keys of the kinds that it uses them on. docs/reference/acl.md allows no more."""
    places = _Places.of(keys, account)
    match role:
        case Role.PRODUCER:
            parts = [_reads, _enqueues, _submits]
        case Role.WORKER:
            parts = [_reads, _enqueues, _submits, _works]
        case Role.READER:
            parts = [_reads, _follows]
    return [command for part in parts for command in part(places)]


def _reads(places: _Places) -> list[Command]:
    """To read jobs, results and the state of accounts."""
    keys, own, job = places.keys, places.own, places.job
    return [
        ("PING",), ("TIME",), ("INFO",), ("GET", keys.format), ("HGET", keys.receipts, "0"),
        ("XREVRANGE", keys.audit, "+", "-"), ("HGETALL", job), ("ZREVRANGE", keys.jobs, 0, 0),
        ("ZRANGE", keys.open, 0, 0), ("LRANGE", keys.runs("0"), 0, 0), ("XRANGE", keys.results, "-", "+"),
        ("HMGET", own["state"], "gate"), ("HLEN", own["claimed"]), ("ZCOUNT", own["slots"], 0, 0),
        ("ZCOUNT", keys.workers, 0, 0), ("ZREVRANGE", own["later"], 0, 0),
    ]  # fmt: skip


def _enqueues(places: _Places) -> list[Command]:
    """To queue a drain, and to wake workers."""
    keys, arq = places.keys, places.arq
    return [
        ("EXISTS", arq["job"], arq["result"]), ("PSETEX", arq["job"], 1, ""), ("ZADD", keys.drain_queue, 0, "0"),
        ("PUBLISH", keys.wake, ""),
    ]  # fmt: skip


def _submits(places: _Places) -> list[Command]:
    """To make a job by scripts, and the commands that these scripts run."""
    keys, own, job = places.keys, places.own, places.job
    everything = keys.of_account(places.account)
    by_digest: Command = ("EVALSHA", "0" * 40, len(everything), *(key.decode() for key in everything))
    script: Command = ("EVAL", "return 0", len(everything), *(key.decode() for key in everything))
    return [
        script, by_digest, ("SET", keys.format, 1), ("HMGET", keys.totals, "unsettled"),
        ("XREVRANGE", keys.results, "+", "-"), ("HSET", job, "v", 1), ("HDEL", job, "v"),
        ("HINCRBY", keys.totals, "unsettled", 0), ("RPUSH", f"{job}:calls", ""),
        ("SADD", keys.accounts, places.account),
        ("XADD", keys.audit, "*", "what", "0"),
        ("ZADD", keys.jobs, 0, "0"), ("ZREM", keys.open, "0"), ("ZADD", own["calls"], 0, "0"), ("UNLINK", job),
    ]  # fmt: skip


def _works(places: _Places) -> list[Command]:
    """To drain, to sweep, to read the intake, and to run under arq."""
    keys, own, job, arq = places.keys, places.own, places.job, places.arq
    return [
        ("WATCH", keys.drain_queue), ("SUBSCRIBE", keys.wake), ("HEXISTS", job, "v"),
        ("HKEYS", f"{job}:alone"), ("HSCAN", f"{job}:later", 0),
        ("HSETNX", own["state"], "v", 1), ("LPOP", f"{job}:calls"), ("LPUSH", f"{job}:calls", ""),
        ("LLEN", f"{job}:calls"), ("LINDEX", f"{job}:calls", 0), ("LSET", f"{job}:calls", 0, ""),
        ("LREM", f"{job}:calls", 0, ""),
        ("ZSCORE", own["claims"], "0"),
        ("ZRANGEBYSCORE", own["claims"], 0, 0), ("ZREMRANGEBYSCORE", own["slots"], 0, 0), ("ZCARD", own["reads"]),
        ("HSET", own["claimed"], "0", ""), ("XADD", keys.results, "*", "job", "0"),
        ("XTRIM", keys.results, "MAXLEN", 0), ("XADD", keys.rejected, "*", "entry", "0"),
        ("XADD", keys.replies("0"), "*", "entry", "0"), ("EXPIRE", keys.replies("0"), 1),
        ("XGROUP", "CREATE", keys.intake, GROUP, 0),
        ("XREADGROUP", "GROUP", GROUP, "0", "STREAMS", keys.intake, ">"), ("XACK", keys.intake, GROUP, "0-1"),
        ("XDEL", keys.intake, "0-1"), ("XAUTOCLAIM", keys.intake, GROUP, "0", 1, "0-0"), ("XLEN", keys.intake),
        ("XPENDING", keys.results, GROUP), ("XINFO", "GROUPS", keys.results),
        ("XINFO", "STREAM", keys.results), ("XINFO", "CONSUMERS", keys.results, "0"),
        ("XGROUP", "DESTROY", keys.results, "0"), ("XREVRANGE", own["trouble"], "+", "-"),
        ("SMEMBERS", keys.accounts), ("INCRBY", arq["retry"], 1), ("EXPIRE", arq["retry"], 1), ("DEL", arq["job"]),
        ("GET", arq["job"]), ("PSETEX", arq["in-progress"], 1, ""),
        ("ZRANGEBYSCORE", keys.drain_queue, 0, 0), ("ZINCRBY", keys.drain_queue, 0, "0"),
    ]  # fmt: skip


def _follows(places: _Places) -> list[Command]:
    """To read results with a consumer group, to see how groups stand, and to find a reference."""
    keys = places.keys
    return [
        ("XINFO", "STREAM", keys.results), ("XINFO", "GROUPS", keys.results), ("XINFO", "CONSUMERS", keys.results, "0"),
        ("XGROUP", "DESTROY", keys.results, "0"), ("XPENDING", keys.results, "0"),
        ("HSCAN", f"{places.job}:later", 0),
        ("XGROUP", "CREATE", keys.results, "0", 0), ("XREADGROUP", "GROUP", "0", "0", "STREAMS", keys.results, ">"),
        ("XACK", keys.results, "0", "0-1"), ("XAUTOCLAIM", keys.results, "0", "0", 1, "0-0"),
    ]  # fmt: skip


def commands() -> frozenset[str]:
    """The names of all commands that any role needs."""
    return frozenset(str(command[0]) for role in Role for command in needed(role, Keys())) | {
        "MULTI",
        "EXEC",
        "DISCARD",
    }


async def lacking(redis: Redis, commands: Sequence[Command]) -> list[str] | None:
    """The commands that this user may not run, such as `HSET cancellist:job:0`, or that the server lacks.

    None where that cannot be checked.
    """
    client: Any = redis
    with translated():
        async with client.client() as alone:
            await alone.initialize()
            replies = await _queued(alone.connection, commands)
    if replies is None:
        return None
    return [_said(c) for c, reply in zip(commands, replies, strict=True) if _refused(reply)]


async def permitted(redis: Redis, keys: Keys, role: Role) -> CheckResult:
    """Checks whether this user may do the work of a role."""
    missing = await lacking(redis, needed(role, keys))
    if missing is None and role is Role.READER:
        return skipped("permissions", "MULTI is off or forbidden, by which it is tried without effect")
    if missing is None:
        missing = ["MULTI"]
    if not missing:
        return ok("permissions", f"this user may do all that a {role} does")
    shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    return failed("permissions", f"this user may not, or the server does not have: {shown}",
                  f"it cannot do the work of a {role}",
                  "give it the rights of its role in docs/reference/acl.md, have switched on what is off, "
                  "or say --role",
    )  # fmt: skip


async def _queued(connection: Any, commands: Sequence[Command]) -> list[Any] | None:
    """The server's reply to each command in a transaction that is discarded; None where it opens no transaction.

    No command may be sent before the server has confirmed that it queues commands: else it would run them.
    """
    try:
        for opening, answer in (("MULTI", b"OK"), ("PING", b"QUEUED")):
            await connection.send_command(opening)
            if await _reply(connection) != answer:
                await connection.disconnect(nowait=True)
                return None
        for command in (*commands, ("DISCARD",)):
            await connection.send_command(*command)
        *replies, discarded = [await _reply(connection) for _ in range(len(commands) + 1)]
        if discarded != b"OK":
            await connection.disconnect(nowait=True)  # this discards the transaction, too
    except BaseException:  # replies may be left unread
        await connection.disconnect(nowait=True)
        raise
    return replies


def _refused(reply: object) -> bool:
    """Whether a reply says that the command is forbidden or unknown."""
    return isinstance(reply, NoPermissionError) or (
        isinstance(reply, ResponseError) and "unknown" in str(reply).lower()
    )


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _said(command: Command) -> str:
    """A command and its first key."""
    key = next((str(part) for part in command[1:] if ":" in str(part)), "")
    return f"{command[0]} {key}".rstrip()
