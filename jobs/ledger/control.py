"""Pausing, resuming and aborting; the sweep and its slices; the account's gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import flow_state, records
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord, JobState

SLICE = 500
"""References in one slice: a few milliseconds of the server's time."""
UNSEALED_KEPT_MS = 3_600_000
LIVE_MS = 4000
"""A worker that has not swept for so long is not counted as live."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: whether another is due at once, claims taken over, and drains to enqueue."""

    more: bool
    taken_over: int
    sliceable: bool
    drains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """Why an account calls its platform no more than by a probe now and then.

    `denied` says that it refuses the key or the address, which only a person can mend; `why` says what to do.
    """

    denied: bool
    why: str
    since_ms: int
    next_probe_ms: int


@dataclass(frozen=True, slots=True)
class Gate:
    """The account's gate.

    Attributes:
        version: it rises whenever what is staged must be let go.
        paused: by a person.
        hold_until_ms: as the platform asked; 0 where it does not hold.
        hold_why: what it asked.
        breaker: None where it is closed.
        breaker_opened: how often it has opened.
        limit: calls in flight that flow control allows, over all workers; None where that is not known, or long ago.
        interval_us: between calls, as learnt from the platform; 0 where no rate is known.
        list_size: references of a call that flow control, or a 413, has left; None where nothing has.
        calls_in_flight: over all workers.
        workers: that live.
        list_refused: the shortest list that was refused for its length (413), where that is why; else None.
    """

    version: int
    paused: bool
    hold_until_ms: int
    hold_why: str
    breaker: OpenBreaker | None
    breaker_opened: int
    limit: int | None
    interval_us: int
    list_size: int | None
    calls_in_flight: int
    workers: int
    list_refused: int | None = None

    @property
    def calls_per_second(self) -> float | None:
        """The rate that was learnt from the platform."""
        return round(1e6 / self.interval_us, 2) if self.interval_us else None


async def pause_job(ledger: Ledger, job: str) -> JobState:
    """Pauses a job; nothing of it is claimed any more.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended.
    """
    record = await records.get(ledger, job)
    state = _text(await ledger.run("pause", record.order.account, job))
    return _expect(record, state, JobState.PAUSED, "paused")


async def pause_account(ledger: Ledger, account: str) -> None:
    """Pauses an account: none of its jobs is claimed any more."""
    await ledger.run("pause", account, "")


async def resume_job(ledger: Ledger, job: str, per_call: int) -> tuple[JobState, list[str]]:
    """Resumes a paused job; answers its state and the drains to enqueue.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended.
    """
    record = await records.get(ledger, job)
    reply = await ledger.run("resume", record.order.account, job, per_call)
    state = JobState(_text(reply[0]))
    if state.ended or state is JobState.ABORTING:
        raise JobStateError(job, state, "resumed")
    return state, [_text(name) for name in reply[1:]]


async def resume_account(ledger: Ledger, account: str, per_call: int) -> list[str]:
    """Resumes an account, and has an open breaker probe at once; answers the drains to enqueue."""
    await flow_state.probe(ledger, account)
    reply = await ledger.run("resume", account, "", per_call)
    return [_text(name) for name in reply[1:]]


async def abort_job(ledger: Ledger, job: str) -> JobState:
    """Aborts a job: what was never sent is `aborted` when this answers; what is in flight ends as it ends.

    Raises:
        UnknownJobError: no such job.
        JobStateError: it has ended otherwise.
    """
    record = await records.get(ledger, job)
    state = _text(await ledger.run("abort", record.order.account, job))
    if state == JobState.ABORTED:
        return JobState.ABORTED
    _expect(record, state, JobState.ABORTING, "aborted")
    await slices(ledger, record.order.account, job)
    return (await records.get(ledger, job)).state


async def slices(ledger: Ledger, account: str, job: str) -> None:
    """Writes, slice by slice, what a job's malformed lines, abort or expiry leave to write."""
    while (await ledger.run("slice", account, job, SLICE))[1]:
        pass


async def slice_oldest(ledger: Ledger, account: str) -> bool:
    """Runs one slice of whichever job waits longest; answers whether there was one."""
    return bool((await ledger.run("slice", account, "", SLICE))[0])


async def sweep(
    ledger: Ledger,
    account: str,
    worker: str,
    terms: Terms,
    call_timeout_s: float,
    max_attempts: int = 8,
    *,
    deallocates: bool = False,
) -> Swept:
    """Runs the account's housekeeping once; harmless when many do.

    `deallocates` says that calls of the account begin by deallocating: what a dead worker had may have been.
    """
    document = {
        "worker": worker, "lease": terms.lease_ms, "call_timeout": round(call_timeout_s * 1000),
        "attempts": max_attempts, "unsealed": UNSEALED_KEPT_MS, "per_call": terms.per_call,
    }  # fmt: skip
    if deallocates:
        document["deallocates"] = 1
    reply = await ledger.run("sweep", account, orjson.dumps(document))
    drains = tuple(_text(name) for name in reply[3:])
    return Swept(bool(reply[0]), int(reply[1]), bool(reply[2]), drains)


async def trim(ledger: Ledger, account: str, *, results_keep_s: float, jobs_keep_s: float) -> tuple[int, int]:
    """Trims one slice of old results and records; answers how many of each."""
    reply = await ledger.run("trim", account, round(results_keep_s * 1000), round(jobs_keep_s * 1000))
    return int(reply[0]), int(reply[1])


_USUAL_STALE_MS = 60_000
_GATE = (
    "gate", "paused", "hold_until", "hold_why", "list_size", "list_search", "size", "limit", "limit_at", "limit_stale",
    "interval", "spread", "breaker", "breaker_why", "breaker_since", "breaker_next", "breaker_opened",
)  # fmt: skip


async def gate(ledger: Ledger, account: str) -> Gate:
    """The account's gate now."""
    with translated():
        now_ms = await ledger.now_ms()
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.hmget(ledger.keys.state(account), list(_GATE))
        pipe.zcount(ledger.keys.slots(account), now_ms, "+inf")
        pipe.zcount(ledger.keys.workers, now_ms - LIVE_MS, "+inf")
        values, calls, workers = await pipe.execute()
    h = dict(zip(_GATE, values, strict=True))
    held_until = int(h["hold_until"] or 0)
    known = now_ms - int(h["limit_at"] or 0) < int(h["limit_stale"] or _USUAL_STALE_MS)
    refused = orjson.loads(h["list_search"] or b"{}").get("refused")
    bounds = [int(size) for size in (h["list_size"], refused and refused - 1) if size]
    sizes = bounds + [int(size) for size in (h["size"],) if size]
    list_size = min(sizes, default=None)
    return Gate(
        version=int(h["gate"] or 0),
        paused=h["paused"] is not None,
        hold_until_ms=held_until if held_until > now_ms else 0,
        hold_why=_text(h["hold_why"] or b"") if held_until > now_ms else "",
        breaker=_breaker(h),
        breaker_opened=int(h["breaker_opened"] or 0),
        limit=int(h["limit"]) if h["limit"] and known else None,
        interval_us=0 if h["spread"] else int(h["interval"] or 0),  # slow calls that are spread tell of no rate
        list_size=list_size,
        calls_in_flight=int(calls),
        workers=int(workers),
        list_refused=refused if list_size in bounds else None,
    )


def _breaker(h: Mapping[str, bytes | None]) -> OpenBreaker | None:
    if h["breaker"] is None:
        return None
    return OpenBreaker(
        h["breaker"] == b"denied",
        _text(h["breaker_why"] or b""),
        int(h["breaker_since"] or 0),
        int(h["breaker_next"] or 0),
    )


async def gate_version(ledger: Ledger, account: str) -> int:
    """The gate's version alone: what is staged may start while it stays."""
    with translated():
        return int(await ledger.redis.hget(ledger.keys.state(account), "gate") or 0)


async def accounts(ledger: Ledger) -> Sequence[str]:
    """Accounts that ever had a job."""
    with translated():
        return sorted(_text(name) for name in await ledger.redis.smembers(ledger.keys.accounts))


async def served(ledger: Ledger) -> dict[str, bool]:
    """Accounts that workers serve, and whether one does now; remembered for an hour, so that a queue outlives them."""
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.time()
        pipe.zrange(ledger.keys.served, 0, -1, withscores=True)
        (seconds, _), found = await pipe.execute()
    return {_text(name): at_ms > seconds * 1000 - LIVE_MS for name, at_ms in found}


def _expect(record: JobRecord, state: str, wanted: JobState, word: str) -> JobState:
    if state == wanted:
        return wanted
    raise JobStateError(record.id, state, word)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
