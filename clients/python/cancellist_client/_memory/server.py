"""A server in memory: jobs end as soon as they may, with the outcomes that were chosen.

It keeps to the rules of the real one as far as a client sees them: the contract suite runs over both.
"""

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cancellist_client._memory.job import Job
from cancellist_client._memory.job_documents import job_document, mention, submitted
from cancellist_client._memory.reading import PATTERN, read, refused
from cancellist_client._memory.retried import GOOD, to_retry
from cancellist_client._memory.safeguards import FailureStop, span
from cancellist_client._memory.stream import ResultsStream
from cancellist_client._memory.times import check_times, is_ahead, time_of
from cancellist_client.errors import IdempotencyConflict, JobStateError, NotFound, UnsupportedError
from cancellist_client.models import JobState, Outcome, Priority, Result, ResultsPage
from cancellist_client.options import Options
from cancellist_client.sources import Source

_WAITS: Final = frozenset({JobState.HELD, JobState.QUEUED, JobState.PAUSED, JobState.HALTED})
_WITHOUT_A_CALL: Final = frozenset({Outcome.INVALID, Outcome.ABORTED, Outcome.EXPIRED})
_STATUS: Final[Mapping[Outcome, int]] = {Outcome.CANCELLED: 200, Outcome.NOT_FOUND: 404}
_REFUSED: Final = 400
_NOT_FOUND, _CONFLICT = 404, 409


class FakeServer:
    """Jobs in memory; safe to share between clients and threads.

    Args:
        outcomes: the outcome of a reference, as a table or a function; others get `default`.
        default: what becomes of the others.
        pattern: what a reference is, in upper case.
        accounts: the platform subscriptions that there are.
    """

    def __init__(
        self,
        *,
        outcomes: Mapping[str, str] | Callable[[str], str | None] | None = None,
        default: str = Outcome.CANCELLED,
        pattern: str = PATTERN,
        accounts: Iterable[str] = ("default",),
    ) -> None:
        chosen = outcomes if callable(outcomes) else dict(outcomes or {}).get
        self._outcome: Callable[[str], str | None] = chosen
        self._default = default
        self._pattern = pattern
        self._accounts = frozenset(accounts)
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, str] = {}
        self.stream = ResultsStream()
        self._lock = threading.RLock()

    def submit(self, source: Source, options: Options, *, retry_of: str | None = None) -> dict[str, Any]:
        """Takes a job in whole, or raises what the server would answer."""
        if options.plan or options.expect_count:
            raise UnsupportedError("the fake knows no plans: try that against the real server")
        if options.override:
            raise UnsupportedError("the fake has no guards to override: try that against the real server")
        if options.canary or options.snapshot:
            raise UnsupportedError("the fake has no canary and no snapshots: try that against the real server")
        account = options.account or "default"
        if account not in self._accounts:
            there = ", ".join(sorted(self._accounts))
            raise refused(f"no account {account!r} is configured; there is {there}", field="account")
        now = datetime.now(UTC)
        start_at, deadline = time_of(options.start_at, now), time_of(options.deadline, now)
        hold_until = now + span(options.hold) if options.hold else None
        check_times(max(filter(None, (start_at, hold_until)), default=None), deadline, now)
        found = read(source, options, self._pattern)
        purpose = (account, options.priority or Priority.NORMAL.value, options.reason, options.requested_by)
        digest = hashlib.sha256(repr((found.valid, found.malformed, purpose)).encode()).hexdigest()
        with self._lock:
            bound = self._keys.get(options.idempotency_key)
            if bound is not None:
                return self._same(bound, digest)
            job = Job(
                id=f"fake{len(self._jobs) + 1:08d}",
                options=options,
                found=found,
                digest=digest,
                state=JobState.QUEUED,
                start_at=start_at,
                hold_until=hold_until,
                deadline=deadline,
                stop=FailureStop(options, len(found.valid) + len(found.malformed)),
                left=deque(found.valid),
                retry_of=retry_of,
            )
            job.state = JobState.HELD if job.is_held else JobState.QUEUED
            self._jobs[job.id] = job
            self._keys[options.idempotency_key] = job.id
            self._settle(job)
            return submitted(job)

    def document(self, job: str) -> dict[str, Any]:
        """A job's document."""
        with self._lock:
            found = self._get(job)
            self._settle(found)
            return job_document(found)

    def jobs(self, filters: Mapping[str, str]) -> dict[str, Any]:
        """All jobs that are asked for, newest first."""
        with self._lock:
            rows = [self.document(job) for job in reversed(self._jobs)]
        wanted = {name: value for name, value in filters.items() if name in {"state", "account", "requested_by"}}
        rows = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
        since = time_of(filters.get("since"), datetime.now(UTC))
        return {
            "jobs": [row for row in rows if since is None or datetime.fromisoformat(row["created_at"]) >= since],
            "next": None,
        }

    def results(self, job: str, outcomes: Sequence[str], cursor: str | None, limit: int) -> ResultsPage:
        """A page of a job's results."""
        unknown = [word for word in outcomes if word not in set(Outcome)]
        if unknown:
            raise refused(f"{unknown[0]!r} is none of {', '.join(Outcome)}", field="outcome", code="validation")
        with self._lock:
            found = self._get(job)
            self._settle(found)
            start = int(cursor or 0)
            some = found.results[start : start + limit]
            end = start + len(some)
            more = end < len(found.results)
            rows = tuple(result for result in some if not outcomes or result.outcome in outcomes)
            return ResultsPage(rows, str(end) if more else None)

    def mentions(self, reference: str) -> dict[str, Any]:
        """The jobs that named a reference, newest first."""
        named = reference.strip().upper()
        if re.fullmatch(self._pattern, named) is None:
            raise refused(
                f"it is no reference: references look like {self._pattern}", field="reference", code="validation"
            )
        with self._lock:
            jobs = [job for job in reversed(self._jobs.values()) if named in job.found.valid]
            for job in jobs:
                self._settle(job)
            return {"reference": named, "jobs": [mention(job, named) for job in jobs], "next": None, "complete": True}

    def retry(self, job: str, outcomes: Sequence[str], options: Options) -> dict[str, Any]:
        """Hands in references as a new job, once."""
        chosen = to_retry(outcomes)
        with self._lock:
            old = self._get(job)
            self._settle(old)
            if not old.state.ended:
                raise JobStateError(
                    f"job {job} is {old.state} and cannot be retried", code="job_state", status=_CONFLICT
                )
            references = [result.reference for result in old.results if result.outcome in chosen]
            if not references:
                raise refused(f"no reference of job {job} is {', '.join(sorted(chosen))}", code="no_references")
            key = f"retry:{job}:{','.join(sorted(chosen))}"
            if key in self._keys:
                return self._retried(old, self._jobs[self._keys[key]], options)
            wanted = replace(
                options,
                idempotency_key=key,
                account=old.options.account,
                reason=options.reason or old.options.reason,
                requested_by=options.requested_by or old.options.requested_by,
                priority=options.priority or old.options.priority,
                max_refused=old.options.max_refused,
                max_unconfirmed=old.options.max_unconfirmed,
            )
            source = Source("application/json", None, lambda: iter(()), references)
            answer = self.submit(source, wanted, retry_of=job)
            old.retried_by.append(answer["job"])
            return answer

    def _retried(self, old: Job, job: Job, options: Options) -> dict[str, Any]:
        """The job that was made of the same references before."""
        for differs in ("reason", "priority"):
            wanted, found = getattr(options, differs), getattr(job.options, differs)
            if wanted is not None and wanted != (found or (Priority.NORMAL.value if differs == "priority" else None)):
                raise IdempotencyConflict(
                    f"job {old.id} was retried before as job {job.id}, with another {differs}",
                    code="retried_before", status=_CONFLICT,
                )  # fmt: skip
        return submitted(job)

    def update(self, job: str, changes: Mapping[str, str | None]) -> dict[str, Any]:
        """Changes priority or deadline of a job that has not ended."""
        now = datetime.now(UTC)
        with self._lock:
            found = self._get(job)
            self._settle(found)
            if found.state.ended:
                raise JobStateError(
                    f"job {job} is {found.state} and cannot be changed", code="job_state", status=_CONFLICT
                )
            if "deadline" in changes:
                deadline = time_of(changes["deadline"], now)
                check_times(found.start_at, deadline, now)
                found.deadline = deadline
            if priority := changes.get("priority"):
                found.options = replace(found.options, priority=priority)
            return job_document(found)

    def act(self, job: str, action: str) -> dict[str, Any]:
        """Pauses, resumes or aborts a job."""
        with self._lock:
            found = self._get(job)
            self._settle(found)
            is_late = found.state.ended and not (action == "abort" and found.state is JobState.ABORTED)
            if is_late or (action == "pause" and found.state is JobState.HALTED):
                verb = {"pause": "paused", "resume": "resumed", "abort": "aborted"}[action]
                raise JobStateError(
                    f"job {job} is {found.state} and cannot be {verb}", code="job_state", status=_CONFLICT
                )
            match action:
                case "pause":
                    found.state = JobState.PAUSED
                case "resume" if found.state in {JobState.PAUSED, JobState.HALTED}:
                    if found.state is JobState.HALTED:
                        found.stop.forgive()
                    found.state = JobState.HELD if found.is_held else JobState.QUEUED
                case "abort" if not found.state.ended:
                    self._finish(found, lambda _: Outcome.ABORTED, JobState.ABORTED)
                case _:
                    pass
            self._settle(found)
            return job_document(found)

    def _get(self, job: str) -> Job:
        if job not in self._jobs:
            raise NotFound(f"no job {job!r}", code="unknown_job", status=_NOT_FOUND)
        return self._jobs[job]

    def _same(self, job: str, digest: str) -> dict[str, Any]:
        if self._jobs[job].digest != digest:
            raise IdempotencyConflict(
                f"the idempotency key is bound to job {job} with other content",
                code="idempotency_conflict", status=422, hint="use a new key",
            )  # fmt: skip
        return submitted(self._jobs[job])

    def _settle(self, job: Job) -> None:
        """Runs a job that may run, to its end, or until it halts."""
        if job.state is JobState.HELD and not job.is_held:
            job.state = JobState.QUEUED
        if job.state in _WAITS and job.deadline is not None and not is_ahead(job.deadline):
            self._finish(job, lambda _: Outcome.EXPIRED, JobState.COMPLETED)
        elif job.state is JobState.QUEUED:
            job.started_at = job.started_at or datetime.now(UTC)
            self._finish(job, lambda reference: self._outcome(reference) or self._default, JobState.COMPLETED)

    def _finish(self, job: Job, outcome_of: Callable[[str], str], state: JobState) -> None:
        if not job.results:
            for reference in job.found.malformed:
                self._write(job, reference, Outcome.INVALID)
        job.stop.halted = None
        while job.left:
            reference = job.left.popleft()
            outcome = Outcome(outcome_of(reference))
            self._write(job, reference, outcome)
            job.stop.count(outcome)
            if job.stop.halted and job.left:
                job.state = JobState.HALTED
                return
        job.stop.halted = None  # by its last result, which leaves nothing to halt
        job.state = state
        job.finished_at = datetime.now(UTC)

    def _write(self, job: Job, reference: str, outcome: Outcome) -> None:
        called = outcome not in _WITHOUT_A_CALL
        at = datetime.now(UTC)
        result = Result(
            job=job.id,
            reference=reference,
            outcome=outcome,
            message=None if outcome in GOOD else f"made up: {outcome}",
            status=_STATUS.get(outcome, _REFUSED) if called else None,
            state=None,
            attempts=int(called),
            at=at,
        )
        job.results.append(self.stream.append(result))
