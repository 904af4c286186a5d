"""Whether a server can hold the ledger: what it says of itself, and which commands it has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.ledger.server.redis_errors import THE_SERVER, translate, translated

SHOWN: Final = 5  # names of commands that a message lists

OLDEST_REDIS: Final = (7, 0)
OLDEST_VALKEY: Final = (8, 0)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's facts about itself.

    Attributes:
        name: its own name, `valkey` or `redis`.
        run_id: changes with every start of the server.
        persistent: whether it writes an append-only file or snapshots, as far as this user may know.
        max_memory_bytes: `maxmemory`, or the memory of its machine where that is 0.
    """

    name: str
    version: str
    run_id: str
    eviction_policy: str
    persistent: bool
    used_memory_bytes: int
    max_memory_bytes: int


async def check(redis: Redis, where: str = THE_SERVER) -> ServerFacts:
    """Checks, in one round trip, whether the server can hold the ledger.

    A server without persistence passes; `ServerFacts.persistent` says so.

    Raises:
        LedgerUnfitError: it evicts keys, is too old, or is a replica, a sentinel or a cluster.
        LedgerRefusedError: INFO is forbidden.
        LedgerUnavailableError: it does not answer.
    """
    with translated(where):
        async with redis.pipeline(transaction=False) as pipe:
            pipe.info()
            pipe.config_get("save")
            info, saves = await pipe.execute(raise_on_error=False)
    if isinstance(info, Exception):
        raise translate(info, where) or info
    if not isinstance(info, dict):
        raise LedgerUnfitError(f"{where} answers INFO strangely: is it a Redis or Valkey server?")
    _must_be_a_primary(info, where)
    name = str(info.get("server_name", "redis"))
    version = str(info.get("valkey_version" if name == "valkey" else "redis_version", "0"))
    _must_be_new_enough(name, version, where)
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        how = (
            "run `CONFIG SET maxmemory-policy noeviction` there, and set the same in its configuration file"
            if isinstance(saves, dict)
            else "set its parameter maxmemory-policy to noeviction where its provider keeps it"
        )
        raise LedgerUnfitError(f"{where} evicts data when its memory is full (maxmemory-policy {policy}): {how}")
    return ServerFacts(
        name=name,
        version=version,
        run_id=str(info.get("run_id", "")),
        eviction_policy=policy,
        persistent=bool(info.get("aof_enabled")) or (isinstance(saves, dict) and bool(saves.get("save"))),
        used_memory_bytes=int(info.get("used_memory", 0)),
        max_memory_bytes=int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)),
    )


async def check_commands(redis: Redis, names: Iterable[str], where: str = THE_SERVER) -> None:
    """Checks, in one round trip, that the server has these commands; passes where the server does not say.

    Raises:
        LedgerUnfitError: some are switched off or renamed.
        LedgerUnavailableError: it does not answer.
    """
    client: Any = redis
    wanted = sorted(set(names))
    with translated(where):
        try:
            # The command is bytes: for a `str` that it knows, redis-py parses the reply in its own way.
            found = await client.execute_command(b"COMMAND", "INFO", *wanted)
        except ResponseError:
            return
    if isinstance(found, list) and len(found) == len(wanted):
        missing = [name for name, facts in zip(wanted, found, strict=True) if facts is None]
        if missing:
            raise LedgerUnfitError(lacks(missing, where))


def lacks(missing: Sequence[str], where: str = THE_SERVER) -> str:
    """A message about commands that a server lacks."""
    shown = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
    one = len(missing) == 1
    return (
        f"{where} does not have the {'command' if one else 'commands'} {shown}: "
        f"enable {'it' if one else 'them'} (rename-command), or use another server"
    )


def _must_be_a_primary(info: dict[str, Any], where: str) -> None:
    mode = info.get("server_mode", info.get("redis_mode"))
    if mode == "sentinel":
        raise LedgerUnfitError(f"{where} is a sentinel: use redis+sentinel://host:port/service in CANCELLIST_REDIS_URL")
    if mode == "cluster":
        raise LedgerUnfitError(f"{where} is a Redis Cluster, which is not supported: use one server or sentinels")
    if info.get("role") == "slave":
        raise LedgerUnfitError(f"{where} is a read-only replica: name the primary in CANCELLIST_REDIS_URL")


def _must_be_new_enough(name: str, version: str, where: str) -> None:
    oldest = OLDEST_VALKEY if name == "valkey" else OLDEST_REDIS
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    parts = (int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0)
    if parts < oldest:
        raise LedgerUnfitError(f"{where} is {name} {version}: Redis 7.0 or newer or Valkey 8 or newer is needed")
