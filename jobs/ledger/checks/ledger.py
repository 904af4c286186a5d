"""Checks the ledger in a server: its format, keys, workers, intake, consumer groups and accounts."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from cancellist.jobs.diagnostics.advice import resume_command
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, warning
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.accounts import LIVE_MS, AccountGate
from cancellist.jobs.ledger.core import READS, Ledger, mend, reads
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.scripts.required_commands import LENGTHS
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.times import rfc3339

LATE_MS: Final = 60_000
ABANDONED_MS: Final = 86_400_000
"""A group counts as abandoned once none of its consumers has asked for this long."""
_GROUPS: Final = 100
_NAMED: Final = 5


async def written_format(ledger: Ledger) -> CheckResult:
    """Checks whether this version reads the namespace's format."""
    with translated():
        found = await ledger.redis.get(ledger.keys.format)
    if found is None:
        return ok("format", f"namespace {ledger.keys.namespace} is not in use yet")
    text = found.decode(errors="replace")
    if text in map(str, READS):
        return ok("format", f"namespace {ledger.keys.namespace} holds format {text}")
    return failed("format", f"namespace {ledger.keys.namespace} holds format {text}", reads(), mend(text))


async def kinds(ledger: Ledger, account: str) -> CheckResult:
    """Checks whether each key of the ledger holds the right kind of value; skips keys that this user may not read."""
    wrong = []
    with translated():
        for key in (name.decode() for name in ledger.keys.of_account(account)):
            ask = LENGTHS.get(key.rpartition(":")[2], "ZCARD")
            try:
                await ledger.redis.execute_command(ask, key)
            except ResponseError as error:
                if str(error).startswith("WRONGTYPE"):
                    wrong.append(key)
    if not wrong:
        return ok("keys", "each holds what cancellist writes")
    return failed("keys", f"something else has written {', '.join(wrong)}", "work that needs it has stopped",
                  f"remove it (UNLINK {' '.join(wrong)}), or choose another CANCELLIST_NAMESPACE")  # fmt: skip


async def workers(ledger: Ledger) -> CheckResult:
    """Checks whether a worker is alive."""
    now_ms = await ledger.now_ms()
    with translated():
        live = int(await ledger.redis.zcount(ledger.keys.workers, now_ms - LIVE_MS, "+inf"))
        left = int(await ledger.redis.zcard(ledger.keys.open))
    if live:
        return ok("workers", f"{live} live")
    return warning("workers", f"none is live; {left:,} jobs are unfinished", "nothing is cancelled",
                   "start one with `cancellist worker`")  # fmt: skip


async def intake(ledger: Ledger) -> CheckResult:
    """Checks whether entries of other systems are read in time."""
    now_ms = await ledger.now_ms()
    with translated():
        waiting = int(await ledger.redis.xlen(ledger.keys.intake))
        oldest = await ledger.redis.xrange(ledger.keys.intake, count=1)
        held = await _held(ledger)
    if not waiting:
        return ok("intake", "no entry waits")
    age_ms = now_ms - int(oldest[0][0].split(b"-")[0]) if oldest else 0
    found = f"{waiting:,} entries wait, the oldest for {age_ms // 1000:,} s; readers hold {held:,}"
    if age_ms < LATE_MS:
        return ok("intake", found)
    return warning("intake", found, "what other systems hand in is late",
                   "start workers, and see their log: a full server takes nothing in")  # fmt: skip


async def rejected(ledger: Ledger) -> CheckResult:
    """Checks whether entries of other systems were rejected."""
    with translated():
        count = int(await ledger.redis.xlen(ledger.keys.rejected))
        last = await ledger.redis.xrevrange(ledger.keys.rejected, count=1)
    if not last:
        return ok("rejected", "no entry was refused")
    at_ms, fields = int(last[0][0].split(b"-")[0]), last[0][1]
    reason = fields.get(b"reason", b"").decode(errors="replace")
    return warning("rejected", f"{count:,} entries, the last at {rfc3339(at_ms)}: {reason}",
                   "none of them became a job",
                   f"mend the producer; the stream {ledger.keys.rejected} holds them and the reasons")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readers:
    """A consumer group of the results.

    Attributes:
        idle_ms: how long none of its consumers has asked for entries; None without consumers.
        unread: entries that were not delivered; None where the server does not know.
        pending: entries that were delivered and not acknowledged.
    """

    name: str
    idle_ms: int | None
    unread: int | None
    pending: int

    @property
    def gone(self) -> bool:
        """Whether no consumer reads for it."""
        return self.idle_ms is None or self.idle_ms >= ABANDONED_MS

    @property
    def words(self) -> str:
        """Its state in words."""
        who = "no consumer" if self.idle_ms is None else f"idle for {self.idle_ms // 3_600_000:,} h"
        unread = "an unknown number of" if self.unread is None else f"{self.unread:,}"
        return f"{plain(self.name)} ({who}, {unread} entries unread, {self.pending:,} pending)"


async def consumers(ledger: Ledger) -> CheckResult:
    """Checks whether each consumer group of the results has a consumer that reads."""
    redis, key = ledger.redis, ledger.keys.results
    found: list[Readers] = []
    with translated():
        try:
            groups = await redis.xinfo_groups(key)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            groups = []
        for group in groups[:_GROUPS]:
            idle = [row["idle"] for row in await redis.xinfo_consumers(key, group["name"])]
            name = group["name"].decode(errors="replace")
            found.append(Readers(name, min(idle, default=None), group.get("lag"), group["pending"]))
    return unread(found, key)


def unread(groups: Sequence[Readers], key: str) -> CheckResult:
    """The check's result for the groups of a stream."""
    gone = [group for group in groups if group.gone]
    if not gone:
        return ok("consumers", f"{len(groups)} groups read the results" if groups else "no group reads the results")
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    remove = "; ".join(f"XGROUP DESTROY {key} {shlex.quote(plain(group.name))}" for group in gone[:_NAMED])
    return warning("consumers", f"nobody reads for {', '.join(group.words for group in gone[:_NAMED])}{more}",
                   "what a group has not read is not trimmed, and fills the server",
                   f"start what reads for it, or remove it with {remove}")  # fmt: skip


async def account(ledger: Ledger, name: str) -> CheckResult:
    """Checks whether an account's calls may start."""
    gate = await accounts.gate(ledger, name)
    check = f"account {name}"
    if gate.stopped:
        since, why = rfc3339(gate.stopped.since_ms), gate.stopped.why or "no reason was given"
        return warning(check, f"stopped with all others since {since} by {plain(gate.stopped.by)}: {plain(why)}",
                       "none of its jobs goes on", "`cancellist resume --all` lets all accounts go on")  # fmt: skip
    if gate.strange_host:
        return warning(check, f"PRODUCTION host {plain(gate.strange_host)} was never called before",
                       "no call goes there", f"`{resume_command(name)} --host {plain(gate.strange_host)}` confirms it",
        )  # fmt: skip
    if gate.paused:
        return warning(check, "paused", "none of its jobs goes on", f"`{resume_command(name)}` lets it go on")
    if gate.breaker:
        return warning(check, f"tripped since {rfc3339(gate.breaker.since_ms)}: {gate.breaker.why}",
                       "its platform is only probed now and then", "see to what it names")  # fmt: skip
    if gate.hold_until_ms:
        return warning(check, f"holds until {rfc3339(gate.hold_until_ms)}: {gate.hold_why}",
                       "no call is made until then", "it goes on by itself once the reason has passed")  # fmt: skip
    smaller = f"; calls name at most {gate.list_size} references{_refused(gate)}" if gate.list_size else ""
    where = " and ".join(plain(one.words) for one in gate.platforms)
    return ok(check, f"open, {where and f'workers call {where}, '}{gate.calls_in_flight} calls in flight{smaller}")


def _refused(gate: AccountGate) -> str:
    return f", since the platform has refused {gate.list_refused} (HTTP 413)" if gate.list_refused else ""


async def _held(ledger: Ledger) -> int:
    """The number of entries that readers have and have not finished."""
    try:
        pending: Any = await ledger.redis.xpending(ledger.keys.intake, GROUP)
    except ResponseError:  # no group yet, or this user may not ask
        return 0
    return int(pending["pending"])
