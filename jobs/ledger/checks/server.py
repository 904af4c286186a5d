"""Checks whether a server can hold the ledger; each check returns a `CheckResult`.

`look` asks the server once. Checks of its answer are pure; checks that must try something are async functions.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, skipped, warning
from cancellist.jobs.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError
from cancellist.jobs.ledger.checks.probe_script import Probed
from cancellist.jobs.ledger.scripts.loader import NAMES, Script
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.server.fitness import OLDEST_REDIS, OLDEST_VALKEY
from cancellist.jobs.ledger.submitting.admission import Reserve

PINGS: Final = 15
SLOW_MEDIAN_MS: Final = 20.0
SLOW_WORST_MS: Final = 250.0
MOST_SKEW_MS: Final = 2000
_NEAR_FULL: Final = 0.8
_MIB: Final = 1 << 20
_UNSAID: Final = "it cannot be known: INFO is off here, or forbidden to this user"


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server's facts about itself, as far as this user may know them.

    Attributes:
        info: INFO; empty where it is off or forbidden.
        config: settings by name, as far as they may be read; empty on most managed servers.
        clock_ms: the server's clock; None where it is not known.
        ours_ms: our clock in the middle of the request.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str]
    clock_ms: int | None
    ours_ms: int


async def look(redis: Redis) -> ServerInfo:
    """Asks the server for its facts, in one round trip.

    Raises:
        LedgerError: the server does not answer.
    """
    client: Any = redis
    began_ms = time.time() * 1000
    with translated():
        async with client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.info()
            pipe.config_get("append*", "save", "maxmemory*")
            clock, info, config = await pipe.execute(raise_on_error=False)
    ours_ms = (began_ms + time.time() * 1000) / 2
    return ServerInfo(
        info=info if isinstance(info, dict) else {},
        config=config if isinstance(config, dict) else {},
        clock_ms=round(clock[0] * 1000 + clock[1] / 1000) if isinstance(clock, tuple) else None,
        ours_ms=round(ours_ms),
    )


def version(words: ServerInfo, probed: Probed | None = None) -> CheckResult:
    """Checks whether the server is new enough; the probe script may know the version, too."""
    if words.info:
        name = str(words.info.get("server_name", "redis"))
        number = str(words.info.get("valkey_version" if name == "valkey" else "redis_version", "0"))
    elif probed and probed.version:
        name, number = probed.name, probed.version
    else:
        return _unread("version")
    oldest = OLDEST_VALKEY if name == "valkey" else OLDEST_REDIS
    parts = tuple(int(part) if part.isdecimal() else 0 for part in number.split(".")[:2])
    if parts < oldest:
        return failed(
            "version", f"{name} {number}", "it lacks what the ledger's scripts need",
            "use Redis 7.0 or newer, or Valkey 8 or newer",
        )  # fmt: skip
    return ok("version", f"{name} {number}")


def role(words: ServerInfo, probed: Probed | None = None) -> CheckResult:
    """Checks whether it is a single writable server."""
    if not words.info:
        return ok("role", "it takes what a script writes") if probed else _unread("role")
    mode = str(words.info.get("server_mode", words.info.get("redis_mode", "standalone")))
    if mode == "cluster":
        return failed("role", "a Redis Cluster", "its keys lie on several servers, which scripts cannot span",
                      "use one server, or one master behind Sentinel")  # fmt: skip
    if mode == "sentinel":
        return failed("role", "a sentinel", "it holds no data", "use redis+sentinel://host:port/service")
    if words.info.get("role") == "slave":
        return failed("role", "a read-only replica", "nothing can be written to it",
                      "name the primary in CANCELLIST_REDIS_URL, or use redis+sentinel://")  # fmt: skip
    replicas = int(words.info.get("connected_slaves", 0))
    return ok("role", "a primary" + (f" with {replicas} replicas" if replicas else ""))


def persistence(words: ServerInfo) -> CheckResult:
    """Checks whether data survives a crash of the server."""
    name = "persistence"
    if not (words.info or words.config):
        return _unread(name)
    writes = {"append-only file": "aof_last_write_status", "snapshot": "rdb_last_bgsave_status"}
    fails = [what for what, status in writes.items() if words.info.get(status, "ok") != "ok"]
    if fails:
        return failed(name, f"its last write of the {fails[0]} failed", "the server refuses writes that it cannot save",
                      "give its disk space, and see its log")  # fmt: skip
    if not words.info.get("aof_enabled") and words.config.get("appendonly") != "yes":
        return _without_aof(name, words)
    fsync = words.config.get("appendfsync")
    if fsync == "always":
        return ok(name, "append-only file, written before each answer")
    if fsync is None:
        return ok(name, "append-only file; this user may not know how often it is written (appendfsync)")
    lost = "the last two seconds" if fsync == "everysec" else "whatever the system had not yet written"
    return warning(name, f"append-only file with appendfsync {fsync}", f"a crash of its machine loses {lost}",
                   "CONFIG SET appendfsync always (CANCELLIST_FSYNC=always for an embedded server)")  # fmt: skip


def _without_aof(name: str, words: ServerInfo) -> CheckResult:
    mend = _setting(words, appendonly="yes", appendfsync="always")
    if not words.config:
        return warning(name, "no append-only file; whether snapshots are made cannot be known, since CONFIG is off",
                       "a restart or a failover may lose jobs and results", mend)  # fmt: skip
    if words.config.get("save"):
        return warning(name, "snapshots only", "a crash loses what came after the last snapshot", mend)
    return warning(name, "nothing is written to disk", "a restart loses all jobs", mend)


def eviction(words: ServerInfo) -> CheckResult:
    """Checks that a full server does not evict keys."""
    policy = words.info.get("maxmemory_policy") or words.config.get("maxmemory-policy")
    if policy is None:
        return _unread("eviction")
    if policy == "noeviction":
        return ok("eviction", "none (maxmemory-policy noeviction)")
    return failed("eviction", f"maxmemory-policy {policy}", "a full server throws jobs and results away, silently",
                  _setting(words, **{"maxmemory-policy": "noeviction"}))  # fmt: skip


def memory(words: ServerInfo, reserve: Reserve) -> CheckResult:
    """Checks whether there is room for the results of queued references."""
    if not words.info:
        return _unread("memory")
    limit = int(words.info.get("maxmemory", 0))
    most = limit or int(words.info.get("total_system_memory", 0))
    used, reserved = int(words.info.get("used_memory", 0)), reserve.bytes_each * reserve.references
    found = (
        f"{_mib(used)} used, {_mib(reserved)} reserved for {reserve.references:,} references, "
        f"of {_mib(most)} ({'maxmemory' if limit else 'all of its machine: maxmemory is not set'})"
    )
    if used + reserved > most:
        return failed("memory", found, "new jobs are refused; what is queued is still drained",
                      "let workers drain, lower CANCELLIST_RESULTS_KEEP, or give it memory (maxmemory)")  # fmt: skip
    if used + reserved > _NEAR_FULL * most:
        return warning("memory", found, "new jobs will soon be refused",
                       "let workers drain, lower CANCELLIST_RESULTS_KEEP, or give it memory (maxmemory)")  # fmt: skip
    return ok("memory", found)


def clock(words: ServerInfo) -> CheckResult:
    """Checks this machine's clock against the server's, which decides on leases and deadlines."""
    if words.clock_ms is None:
        return skipped("clock", "it cannot be known: TIME is off here, or forbidden to this user")
    skew_ms = words.clock_ms - words.ours_ms
    found = f"the server's is {abs(skew_ms):,} ms {'ahead' if skew_ms > 0 else 'behind'}"
    if abs(skew_ms) > MOST_SKEW_MS:
        return warning("clock", found, "times shown here, and deadlines checked here, differ from the server's",
                       "let both machines keep their clocks by NTP")  # fmt: skip
    return ok("clock", found)


async def latency(redis: Redis) -> CheckResult:
    """Measures round trips, and a script that does nothing."""
    client: Any = redis
    with translated():
        pings_ms = [await _timed_ms(client.ping()) for _ in range(PINGS)]
        try:
            script_ms = await _timed_ms(client.execute_command("EVAL", "return 1", 0))
        except ResponseError:
            script_ms = None
    found = f"PING {median(pings_ms):.1f} ms, at worst {max(pings_ms):.1f} ms" + (
        "; no script may be run" if script_ms is None else f"; a script {script_ms:.1f} ms"
    )
    worst = max(*pings_ms, script_ms or 0.0)
    if median(pings_ms) > SLOW_MEDIAN_MS or worst > SLOW_WORST_MS:
        return warning("latency", found, "every call costs a round trip: workers are slowed down",
                       "run workers near the server; see its SLOWLOG for what holds it up")  # fmt: skip
    return ok("latency", found)


async def scripts(redis: Redis) -> CheckResult:
    """Checks whether the server can compile the ledger's scripts."""
    client: Any = redis
    for name in NAMES:
        try:
            with translated():
                await client.execute_command("SCRIPT", "LOAD", Script(name).text)
        except LedgerRefusedError:
            return skipped("scripts", "SCRIPT LOAD is off here, or forbidden to this user; they are sent with EVAL")
        except LedgerUnavailableError:
            raise
        except LedgerError as error:
            return failed("scripts", f"{name} is refused ({error})", "the ledger does not work on this server",
                          "use Redis 7.0 or newer, or Valkey 8 or newer")  # fmt: skip
    return ok("scripts", f"all {len(NAMES)} can be loaded")


async def _timed_ms(work: Any) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


def _unread(name: str) -> CheckResult:
    return skipped(name, _UNSAID)


def _setting(words: ServerInfo, **wanted: str) -> str:
    """How to change a server's settings: by CONFIG SET where CONFIG may be used, else at its provider."""
    if words.config:
        each = " and ".join(f"CONFIG SET {name} {value}" for name, value in wanted.items())
        return f"{each}, and the same in its configuration file"
    each = " and ".join(f"{name} to {value}" for name, value in wanted.items())
    return f"CONFIG is off: set the server's parameters {each} where its provider keeps them, or ask its administrator"


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
