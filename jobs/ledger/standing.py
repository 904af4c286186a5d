"""How the ledger in a server stands: its format, its workers, its intake and its accounts, each as a finding."""

from typing import Any, Final

from redis.exceptions import ResponseError

from jobs.findings import Finding, failed, ok, warning
from jobs.ledger import control
from jobs.ledger.connection import translated
from jobs.ledger.control import Gate
from jobs.ledger.core import READS, Ledger, mend, reads
from jobs.ledger.intake import GROUP
from jobs.remedies import resume
from jobs.times import rfc3339

LATE_MS: Final = 60_000
_WORKER_MS: Final = 4000


async def written_format(ledger: Ledger) -> Finding:
    """Whether this version reads what is there."""
    with translated():
        found = await ledger.redis.get(ledger.keys.format)
    if found is None:
        return ok("format", f"namespace {ledger.keys.namespace} is not in use yet")
    text = found.decode(errors="replace")
    if text in map(str, READS):
        return ok("format", f"namespace {ledger.keys.namespace} holds format {text}")
    return failed("format", f"namespace {ledger.keys.namespace} holds format {text}", reads(), mend(text))


async def workers(ledger: Ledger) -> Finding:
    """Whether anybody does the work."""
    now_ms = await ledger.now_ms()
    with translated():
        live = int(await ledger.redis.zcount(ledger.keys.workers, now_ms - _WORKER_MS, "+inf"))
        left = int(await ledger.redis.zcard(ledger.keys.open))
    if live:
        return ok("workers", f"{live} live")
    return warning("workers", f"none is live; {left:,} jobs are unfinished", "nothing is cancelled",
                   "start one with `cancellist worker`")  # fmt: skip


async def intake(ledger: Ledger) -> Finding:
    """Whether what other systems hand in is taken up."""
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


async def rejected(ledger: Ledger) -> Finding:
    """Whether other systems hand in what cannot become a job."""
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


async def account(ledger: Ledger, name: str) -> Finding:
    """Whether an account's calls go out."""
    gate = await control.gate(ledger, name)
    check = f"account {name}"
    if gate.paused:
        return warning(check, "paused", "none of its jobs goes on", f"`{resume(name)}` lets it go on")
    if gate.breaker:
        return warning(check, f"tripped since {rfc3339(gate.breaker.since_ms)}: {gate.breaker.why}",
                       "its platform is only probed now and then", "see to what it names")  # fmt: skip
    if gate.hold_until_ms:
        return warning(check, f"holds until {rfc3339(gate.hold_until_ms)}: {gate.hold_why}",
                       "no call is made until then", "it goes on by itself once the reason has passed")  # fmt: skip
    smaller = f"; calls name at most {gate.list_size} references{_refused(gate)}" if gate.list_size else ""
    return ok(check, f"open, {gate.calls_in_flight} calls in flight{smaller}")


def _refused(gate: Gate) -> str:
    return f", since the platform has refused {gate.list_refused} (HTTP 413)" if gate.list_refused else ""


async def _held(ledger: Ledger) -> int:
    """Entries that a reader has and has not dealt with."""
    try:
        pending: Any = await ledger.redis.xpending(ledger.keys.intake, GROUP)
    except ResponseError:  # no group yet, or this user may not ask
        return 0
    return int(pending["pending"])
