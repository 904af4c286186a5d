"""Reads jobs from the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from cancellist.jobs.errors import UnknownJobError
from cancellist.jobs.ledger.core import Ledger, known
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import (
    DEFAULT_ACCOUNT,
    ApprovalRecord,
    Canary,
    JobRecord,
    JobRequest,
    JobState,
    Outcome,
    Priority,
    ResultSample,
)
from cancellist.jobs.progress.eta import PauseHistory

_OUTCOME = "outcome:"
_STANDING = frozenset({JobState.PAUSED, JobState.HALTED})
_MOST_RIVALS = 100
_MOST_LATER = 100
_MOST_FINISHED = 1000


async def get(ledger: Ledger, job: str) -> JobRecord:
    """One job.

    Raises:
        UnknownJobError: no job has that id.
    """
    with translated():
        fields = await ledger.redis.hgetall(ledger.keys.job(job))
    if not fields or fields.get(b"state") is None:
        raise UnknownJobError(job)
    return _record(job, _fields(fields))


async def newest(ledger: Ledger, limit: int = 20, offset: int = 0) -> list[JobRecord]:
    """Jobs, newest first."""
    with translated():
        ids = await ledger.redis.zrevrange(ledger.keys.jobs, offset, offset + limit - 1)
    return await _records(ledger, ids)


async def of(ledger: Ledger, jobs: Sequence[str]) -> list[JobRecord]:
    """These jobs, in this order; one that is not known is left out."""
    return await _records(ledger, [job.encode() for job in jobs])


async def finished_since(ledger: Ledger, since_ms: int) -> list[JobRecord]:
    """Jobs that have ended at this time (server's clock) or later, in that order; at most the last 1,000."""
    with translated():
        ids = await ledger.redis.zrange(
            ledger.keys.finished, "+inf", since_ms, desc=True, byscore=True, offset=0, num=_MOST_FINISHED
        )
    return await _records(ledger, ids[::-1])


async def unfinished(ledger: Ledger) -> list[JobRecord]:
    """Jobs that have not ended, oldest first."""
    with translated():
        ids = await ledger.redis.zrange(ledger.keys.open, 0, -1)
    return await _records(ledger, ids)


@dataclass(frozen=True, slots=True)
class Moment:
    """Jobs and accounts at one time by the server's clock.

    Attributes:
        calls: calls in flight, by account.
        claims: claims in flight or staged, by account.
        due_ms: by job, when the last piece that waits for its time is due. Only the 100 last pieces of each account are
            looked at.
    """

    at_ms: int
    jobs: Mapping[str, JobRecord]
    calls: Mapping[str, int]
    claims: Mapping[str, int]
    due_ms: Mapping[str, int]


async def rivals(ledger: Ledger) -> list[str] | None:
    """The ids of jobs that have not ended; None where there are more than 100, too many to read each time."""
    with translated():
        ids = await ledger.redis.zrange(ledger.keys.open, 0, _MOST_RIVALS)
    return None if len(ids) > _MOST_RIVALS else [job.decode() for job in ids]


async def moment(ledger: Ledger, accounts: Sequence[str], jobs: Sequence[str]) -> Moment:
    """Reads accounts and jobs at one moment; unknown jobs are left out.

    One request asks for all of them. Between two requests, calls that end together would settle.
    """
    since_ms = await ledger.now_ms()
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.time()
        for account in accounts:
            pipe.zcount(ledger.keys.slots(account), since_ms, "+inf")
            pipe.hlen(ledger.keys.claimed(account))
            pipe.zrevrange(ledger.keys.later(account), 0, _MOST_LATER - 1, withscores=True)
        for job in jobs:
            pipe.hgetall(ledger.keys.job(job))
        (seconds, micros), *rows = await pipe.execute()
    counts, found = rows[: 3 * len(accounts)], rows[3 * len(accounts) :]
    due_ms: dict[str, int] = {}
    for piece, at_ms in (pair for pieces in counts[2::3] for pair in pieces):
        due_ms.setdefault(piece.decode().partition(":")[0], int(at_ms))
    return Moment(
        at_ms=int(seconds) * 1000 + int(micros) // 1000,
        jobs={record.id: record for record in _read(jobs, found)},
        calls={account: int(n) for account, n in zip(accounts, counts[::3], strict=True)},
        claims={account: int(n) for account, n in zip(accounts, counts[1::3], strict=True)},
        due_ms=due_ms,
    )


async def stops(ledger: Ledger, account: str) -> PauseHistory:
    """The account's last pause and hold. The stop of all accounts counts as a pause."""
    names = ["paused", "paused_from", "paused_until", "hold_until"]
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.hmget(ledger.keys.state(account), names)
        pipe.hget(ledger.keys.totals, "stopped_at")
        (paused, since, until, hold), stopped = await pipe.execute()
    going = [int(at_ms) for at_ms in (paused, stopped) if at_ms is not None]
    if going:
        return PauseHistory(min(going), None, int(hold or 0))
    return PauseHistory(int(since or 0), int(until or 0), int(hold or 0))


async def _records(ledger: Ledger, ids: Sequence[bytes]) -> list[JobRecord]:
    return await several(ledger, [job.decode() for job in ids])


async def several(ledger: Ledger, jobs: Sequence[str]) -> list[JobRecord]:
    """These jobs, in this order; one that is not known is left out."""
    if not jobs:
        return []
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        for job in jobs:
            pipe.hgetall(ledger.keys.job(job))
        return _read(jobs, await pipe.execute())


def _read(jobs: Sequence[str], rows: Sequence[Mapping[bytes, bytes]]) -> list[JobRecord]:
    return [_record(job, _fields(row)) for job, row in zip(jobs, rows, strict=True) if row.get(b"state") is not None]


def _record(job: str, h: Mapping[str, str]) -> JobRecord:
    pending = sum(_int(h.get(name)) or 0 for name in ("calls", "alone", "reads", "later", "invalid_left", "rest"))
    outcomes = {known(Outcome, k[len(_OUTCOME) :]): _int(v) or 0 for k, v in h.items() if k.startswith(_OUTCOME)}
    in_flight = _int(h.get("claimed")) or 0
    return JobRecord(
        id=job,
        order=_request(h),
        state=known(JobState, h["state"]),
        total=_int(h.get("total")) or pending,
        duplicates=_int(h.get("duplicates")) or 0,
        invalid=_int(h.get("invalid")) or 0,
        pending=pending,
        in_flight=in_flight,
        uncalled=sum(_int(h.get(name)) or 0 for name in ("calls", "alone", "rest")),
        outcomes=outcomes,
        created_at_ms=_int(h.get("created_at")) or 0,
        started_at_ms=_int(h.get("started_at")),
        finished_at_ms=_int(h.get("finished_at")),
        samples=_samples(h),
        idle_ms=_int(h.get("idle")) or 0,
        paused_at_ms=_int(h.get("paused_at")) if h["state"] in _STANDING else None,
        intake_entry=h.get("entry"),
        hold_until_ms=_int(h.get("hold_until")),
        stop=h.get("stop", ""),
        halted_at_ms=_int(h.get("halted_at")) if h["state"] == JobState.HALTED else None,
        halted_why=h.get("halted_why") if h["state"] == JobState.HALTED else None,
        canary=_canary(h),
        retried_by=tuple(h.get("retried_by", "").split()),
        revision=_int(h.get("revision")) or 0,
        digest=h.get("digest"),
        approval=_approval(h),
        overrode=h.get("overrode", ""),
    )


def _request(h: Mapping[str, str]) -> JobRequest:
    return JobRequest(
        account=h.get("account", DEFAULT_ACCOUNT),
        reason=h.get("reason"),
        requested_by=h.get("requested_by"),
        priority=known(Priority, h.get("priority", Priority.NORMAL)),
        deadline_ms=_int(h.get("deadline")),
        start_at_ms=_int(h.get("start_at")),
        idempotency_key=h.get("idempotency_key"),
        submitted_by=h.get("submitted_by"),
        canary=_int(h.get("canary")) or 0,
        snapshot=h.get("snapshot") == "1",
        retry_of=h.get("retry_of"),
        overridden_by=h.get("overridden_by"),
        override_reason=h.get("override_reason"),
        host=h.get("host"),
    )


def _canary(h: Mapping[str, str]) -> Canary | None:
    size = _int(h.get("canary_size")) or _int(h.get("canary"))
    return Canary(size, _int(h.get("rest")) or 0, _int(h.get("canary_passed"))) if size else None


def _approval(h: Mapping[str, str]) -> ApprovalRecord | None:
    wanted = _int(h.get("approvals_wanted"))
    if wanted is None:
        return None
    return ApprovalRecord(
        wanted,
        _given(h.get("approvals", "[]")),
        h.get("approval_why", ""),
        _int(h.get("approval_until")),
        h.get("rejected_by", ""),
        _int(h.get("rejected_at")) or 0,
        h.get("reject_reason", ""),
    )


def _given(text: str) -> tuple[tuple[str, int], ...]:
    try:
        return tuple((str(one["by"]), int(one["at"])) for one in orjson.loads(text))
    except (ValueError, TypeError, KeyError):  # another program may have written it; nobody has approved then
        return ()


def _samples(h: Mapping[str, str]) -> tuple[ResultSample, ...]:
    """The kept samples and the newest one (lua/shared/progress_samples.lua has the form)."""
    try:
        kept = [ResultSample(*map(int, text.split(":")[:5])) for text in h.get("samples", "").split()]
        if not h.get("sampled"):
            return tuple(kept)
        newest, _, *rest = h["sampled"].split()
        calls = int(rest[0]) if rest else 0
        return (*kept, replace(ResultSample(*map(int, newest.split(":")[:3])), calls=calls))
    except (ValueError, TypeError):  # another program may have written them; no rate is known then
        return ()


def _fields(stored: Mapping[bytes, bytes]) -> dict[str, str]:
    """A record as text. Bytes that are no text are escaped: another program may have written them."""
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in stored.items()
    }


def _int(text: str | None) -> int | None:
    """A stored number; None where it cannot be read, so that one record cannot break a listing."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return int(float(text))  # Lua writes very large numbers in this form
    except (ValueError, OverflowError):
        return None
