"""How long the server is blocked: the slowest of the ledger's scripts with a million references queued.

Every script runs many times, as heavy as workers and producers make it: batches of 2,000 references, claims whose
hundred references come from a hundred jobs, results with messages, takeovers and releases of many claims at once, and
the end of the million by abort, slice by slice.

The server's slow log says by the clock how long each took. A server that shares its processors is timed with its
waiting for them, so the least of that and of the processor time that the server spent on the whole command, its write
to disk included, is what is judged (where the system tells it: Linux); the slowest by the clock is shown beside it.
Both are a round's worst, and the median of the rounds.

There the server does not rewrite its append-only file meanwhile. It forks for that, and whatever command comes next
pays for the pages that it makes the system copy, be it a script or not: one more round, with rewriting as the embedded
server does it, shows what that comes to.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from bench import engine, servers
from bench.context import Context
from bench.references import references
from bench.table import Row
from cancellist.config import logs
from cancellist.config.settings import Settings
from cancellist.jobs.errors import IdempotencyConflictError
from cancellist.jobs.ledger import claims, control, housekeeping
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Share, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.scripts.loader import NAMES, Script, Scripts
from cancellist.jobs.ledger.submitting.submission import BATCH, Submission
from cancellist.jobs.model import DEFAULT_ACCOUNT, JobRequest, Outcome
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.steps import CallAgain, ReadState, Step, WriteResult
from cancellist.worker.intake_reader import IntakeReader

MOST_MS = 10
ROUNDS = 3
LOGGED_US = 100  # the slow log takes in what scripts call as well: those must not fill it
FIRST_SMALL = 2_000_000  # references of the small jobs are counted from here
CLAIMS, APART = 60, 10
LEASE_MS, SHORT_LEASE_MS = 30_000, 200
CALL_TIMEOUT_S = 30.0
TERMS = Terms(limit=2 * CLAIMS, initial=2 * CLAIMS, linger_ms=0, lease_ms=LEASE_MS)
WORDS = "Consignment is in a state that does not allow it to be cancelled"

AGAIN = CallAgain(delay_s=0.3, attempts=1, named=1, unclear_s=30.0)
STEPS: tuple[Step, ...] = (  # where the references of a claim go, in turn
    WriteResult(Outcome.CANCELLED, attempts=1, status=200),
    WriteResult(Outcome.REJECTED, attempts=1, status=200, message=WORDS, state="Allocated"),
    AGAIN,
    ReadState(delay_s=0.0, attempts=1, named=1, refusal_status=200, refusal_words=WORDS),
)


class TimedScripts(Scripts):
    """Runs scripts one after another, and notes the server's processor time for each."""

    def __init__(self, server: servers.Valkey, book: Ledger) -> None:
        super().__init__(book.redis)
        self._server = server
        self.longest_s: dict[str, float] = {}
        self.not_run = {*NAMES} - {"submit"}  # which a producer sends by itself, several at once

    async def run(self, name: str, keys: Sequence[bytes], *args: str | bytes | int) -> Any:
        """Run one operation."""
        self.not_run.discard(name)
        before = self._server.cpu_seconds
        reply = await super().run(name, keys, *args)
        after = self._server.cpu_seconds
        if before is not None and after is not None:
            self.longest_s[name] = max(after - before, self.longest_s.get(name, 0.0))
        return reply


class Stage:
    """One round: a server with a million queued references, and its users."""

    def __init__(self, server: servers.Valkey, book: Ledger) -> None:
        self._server = server
        self._book = book
        self._scripts = TimedScripts(server, book)
        self._claims = 0
        self._small = 0

    async def load(self) -> None:
        """Load every script, as their first use would."""
        for name in NAMES:
            await self._server.client.script_load(Script(name).text)
        self._book.scripts = self._scripts
        await self._server.reset()

    async def submit(self, count: int) -> str:
        """Queue a job, and a second one with the same key and other content, which conflicts."""
        order = JobRequest(idempotency_key="bench")
        job = await engine.submit(self._book, references(count), order)
        try:
            await engine.submit(self._book, references(count, first=1), order)
        except IdempotencyConflictError:
            return job
        raise RuntimeError("the same idempotency key with other content made a second job")

    async def discard(self, count: int) -> None:
        """Submit references, and drop them before the seal."""
        submission = Submission(self._book, JobRequest())
        await submission.add(references(count, FIRST_SMALL))
        await submission.discard()

    async def take_in(self, entries: int, each: int, **fields: str) -> None:
        """Make jobs by the worker's reader of `entries` of the intake stream, with `each` references."""
        book = self._book
        reader = IntakeReader(book, "bench", Settings(_env_file=None), book.redis)
        pipeline = book.redis.pipeline(transaction=False)
        for number in range(entries):
            known = references(each, FIRST_SMALL + self._small)
            self._small += each
            keyed = fields | {"idempotency_key": f"{number} {known[0]}", "references": "\n".join(known)}
            pipeline.xadd(book.keys.intake, keyed)
        await pipeline.execute()
        while await book.redis.xlen(book.keys.intake):
            await reader.run()

    async def reject(self) -> None:
        """Reject an entry, and write the results of a job that has only malformed lines."""
        await self.take_in(1, 1, unknown="field")
        submission = Submission(self._book, JobRequest())
        await submission.add([], [InvalidEntry(line, f"line {line}", "no reference") for line in range(BATCH)])
        sealed = await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=TERMS.per_call)
        if sealed:
            await housekeeping.slices(self._book, DEFAULT_ACCOUNT, sealed.job)

    async def claim(self, count: int, terms: Terms = TERMS) -> list[Claim]:
        """Claim so often, with slots."""
        found = []
        for _ in range(count):
            answer = await claims.claim(self._book, DEFAULT_ACCOUNT, self._ask(terms))
            if isinstance(answer, Claim):
                found.append(answer)
        return found

    async def settle(self, held: list[Claim], *, apart: bool = False) -> list[Claim]:
        """Settle claims in every way, or with every reference to be called apart; return the claims that follow."""
        following = []
        for number, claim in enumerate(held):
            shares = _shares_apart if apart else _shares
            parts = [shares(number, claim, part.piece.references) for part in claim.parts]
            settlement = Settlement(claim.id, parts, give=(claim.id,))
            ask = self._ask(TERMS)
            _, answer = await claims.settle(self._book, DEFAULT_ACCOUNT, settlement, ask, TERMS)
            if isinstance(answer, Claim):
                following.append(answer)
        return following

    async def renew(self, held: list[Claim]) -> None:
        """Renew all leases at once."""
        ids = [claim.id for claim in held]
        _, lost, _ = await claims.renew(self._book, DEFAULT_ACCOUNT, "bench", TERMS, ids, ids)
        if lost:
            raise RuntimeError(f"{len(lost)} claims were lost")

    async def release(self, held: list[Claim]) -> None:
        """Release claims, as many at once as hold 2,000 references."""
        most = BATCH // TERMS.per_call
        for at in range(0, len(held), most):
            ids = [claim.id for claim in held[at : at + most]]
            await claims.release(self._book, DEFAULT_ACCOUNT, ids, ids, TERMS)

    async def sweep(self, wait_s: float = 0.0) -> int:
        """Sweep until nothing is due; return the claims taken over."""
        await asyncio.sleep(wait_s)
        taken_over, more = 0, True
        while more:
            swept = await housekeeping.sweep(self._book, DEFAULT_ACCOUNT, "bench", TERMS, CALL_TIMEOUT_S)
            taken_over, more = taken_over + swept.taken_over, swept.more
        return taken_over

    async def abandon(self) -> None:
        """Claim for a short lease, and have the claims taken over."""
        await self.sweep()
        held = await self.claim(CLAIMS, Terms(limit=2 * CLAIMS, linger_ms=0, lease_ms=SHORT_LEASE_MS))
        taken_over = await self.sweep(2 * SHORT_LEASE_MS / 1000)
        if taken_over < len(held):
            raise RuntimeError(f"{taken_over} of {len(held)} claims were taken over")

    async def pause(self, job: str) -> None:
        """Pause and resume the job and the account."""
        await control.pause_job(self._book, job)
        await control.resume_job(self._book, job, TERMS.per_call)
        await control.pause_account(self._book, DEFAULT_ACCOUNT)
        await control.resume_account(self._book, DEFAULT_ACCOUNT, TERMS.per_call)

    async def end(self, job: str) -> None:
        """Abort the job with a million references, and trim the results that may be trimmed."""
        await control.abort_job(self._book, job)
        trimmed = (1, 1)
        while any(trimmed):
            trimmed = await housekeeping.trim(self._book, DEFAULT_ACCOUNT, results_keep_s=0, jobs_keep_s=0)

    async def longest(self) -> dict[str, tuple[float, float]]:
        """Return the longest time of each script, in milliseconds: by the clock, and of the processor."""
        names = {Script(name).sha: name for name in NAMES}
        longest: dict[str, tuple[float, float]] = {}
        if self._scripts.not_run:
            raise RuntimeError(f"{', '.join(self._scripts.not_run)}: this benchmark must learn to run it")
        for entry in await self._server.slow():
            command, digest, *_ = [*entry.command.split(), ""]
            if command == "EVALSHA" and names[digest] not in longest:
                spent_s = self._scripts.longest_s.get(names[digest], math.inf)
                longest[names[digest]] = entry.milliseconds, min(entry.milliseconds, spent_s * 1000)
        return longest

    def _ask(self, terms: Terms) -> Ask:
        self._claims += 1
        return Ask(f"bench.{self._claims}", "bench", "slot", 0, terms)


def _shares(number: int, claim: Claim, known: tuple[str, ...]) -> list[Share]:
    if len(claim.parts) > 1 or number % 2:
        return [Share(STEPS[number % len(STEPS)], None, len(known))]
    groups = [known[at :: len(STEPS)] for at in range(len(STEPS))]
    return [Share(step, group, len(group)) for step, group in zip(STEPS, groups, strict=True) if group]


def _shares_apart(number: int, claim: Claim, known: tuple[str, ...]) -> list[Share]:  # noqa: ARG001 - as `_shares`
    return [Share(replace(AGAIN, group=at), (reference,), 1) for at, reference in enumerate(known)]


async def play(context: Context, rewrite_percentage: int) -> dict[str, tuple[float, float]]:
    """Run every script on a fresh server and return what `Stage.longest` says."""
    context.probe()
    async with (
        servers.valkey(
            slowlog_log_slower_than=str(LOGGED_US),
            slowlog_max_len="100000",
            auto_aof_rewrite_percentage=str(rewrite_percentage),
        ) as server,
        engine.ledger(server) as book,
    ):
        stage = Stage(server, book)
        await stage.load()
        job = await stage.submit(context.queued)
        await stage.discard(context.queued // 10)
        await stage.reject()
        await stage.take_in(BATCH, 1)
        await stage.take_in(BATCH // 4, 4, reason="recall 1147", requested_by="returns desk")
        await stage.take_in(BATCH, 1, start_at="+1s", deadline="+2h")
        await stage.sweep()
        held = await stage.claim(CLAIMS)
        await stage.renew(held)
        following = await stage.settle(held)
        await stage.pause(job)
        await stage.release(following)
        await stage.abandon()
        await stage.settle(await stage.claim(CLAIMS))
        await stage.settle(await stage.claim(APART), apart=True)
        await stage.pause(job)
        await stage.end(job)
        longest = await stage.longest()
    worst = sorted(longest.items(), key=lambda item: -item[1][1])
    said = ", ".join(f"{name} {spent:.1f} ({took:.1f})" for name, (took, spent) in worst)
    context.say(f"  ms of the processor (by the clock), rewritten at {rewrite_percentage} %: {said}")
    return longest


async def run(context: Context) -> list[Row]:
    """Find the slowest script."""
    logs.configure("console", "error")
    rounds = [await play(context, 0) for _ in range(min(ROUNDS, context.repeats))]
    rewriting = await play(context, 100)
    names = set.intersection(*map(set, rounds))
    slowest = max(names, key=lambda name: median(longest[name][1] for longest in rounds))
    by_clock, of_processor = zip(*(_worst(longest) for longest in rounds), strict=True)
    return [
        Row(f"slowest script, {context.queued:,} queued: {slowest}", "ms", of_processor, MOST_MS, at_most=True),
        Row("slowest script by the clock", "ms", by_clock),
        Row("slowest script while the append-only file is rewritten", "ms", (_worst(rewriting)[1],)),
    ]


def _worst(longest: dict[str, tuple[float, float]]) -> tuple[float, float]:
    by_clock, of_processor = zip(*longest.values(), strict=True)
    return max(by_clock), max(of_processor)
