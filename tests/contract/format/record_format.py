"""Records what the present format writes, in the middle of everything: `python -m tests.contract.format.record_format`.

Run by hand when FORMAT rises, and kept for as long as the format is read (CONTRIBUTING.md). Every operation is a real
one, on a real server; ids and times differ little from run to run.
"""

import asyncio
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow import concurrency
from cancellist.jobs.flow.batch_size import TriedBatch
from cancellist.jobs.flow.circuit_breaker import Breaker, Mode
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy
from cancellist.jobs.flow.controller import FlowState
from cancellist.jobs.flow.counters import Counters, Sized, Timed
from cancellist.jobs.ids import job_id
from cancellist.jobs.ledger import claims, control, flow_state, housekeeping
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Share, Terms, Wait
from cancellist.jobs.ledger.core import FORMAT, Ledger
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.ledger.pieces import pack_fresh
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.submitting import intake, submission
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import BreakerCause, JobRequest, Outcome, Priority
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.steps import CallAgain, ReadState, Step, WriteResult
from cancellist.sandbox.world.references import reference
from tests.contract.format import recorded
from tests.support.servers import running

SEED = 7
FAR_MS = 4_102_444_800_000
"""2100-01-01."""
TERMS = Terms(limit=8, per_call=4, linger_ms=0)
LATER = 60.0
WORDS = "is in a state that cannot be cancelled"
COUNTERS = Counters(
    accepted=40, refused=1, failed=2, full=Timed(40, 4000.0, 401_000.0), sizes={2: Sized(40, 160, 4000.0)}
)


class Recorder:
    """Plays what is recorded."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.jobs: dict[str, list[str]] = {}
        self._named = self._asked = 0

    def references(self, count: int) -> list[str]:
        """References of the local platform that were not used before."""
        self._named += count
        return [reference(SEED, n) for n in range(self._named - count, self._named)]

    async def submit(self, count: int, *, malformed: int = 0, **order: object) -> str:
        """A sealed job."""
        references = self.references(count)
        texts = [f"bad {len(self.jobs)} {n}" for n in range(malformed)]
        one = Submission(self.ledger, JobRequest(**order))  # type: ignore[arg-type]
        await one.add(references, [InvalidEntry(n, text, "no reference") for n, text in enumerate(texts, 1)])
        sealed = await one.seal(duplicates=1, idempotency_keep_s=3600, per_call=TERMS.per_call)
        assert sealed
        self.jobs[sealed.job] = references + texts
        return sealed.job

    async def claim(self, kind: str, mode: claims.Mode = "slot", account: str = "default", **terms: int) -> Claim:
        """A claim, which must be of that kind."""
        self._asked += 1
        ask = Ask(f"host-1-0.drain1.{self._asked}", "drain1", mode, 0, replace(TERMS, **terms))  # type: ignore[arg-type]
        answer = await claims.claim(self.ledger, account, ask)
        if isinstance(answer, Wait) and answer.wait_ms == 0:
            answer = await claims.claim(self.ledger, account, ask)  # it has passed over a group that is aborted
        assert isinstance(answer, Claim), answer
        assert answer.kind == kind, answer
        return answer

    async def settle(self, claim: Claim, *steps: Step, account: str = "default", **more: object) -> None:
        """Sends each reference of a claim, in order, its way."""
        left = iter(steps)
        parts = [[Share(next(left), (r,), 1) for r in part.piece.references] for part in claim.parts]
        settlement = Settlement(claim.id, parts, give=(claim.id,), **more)  # type: ignore[arg-type]
        assert (await claims.settle(self.ledger, account, settlement, None, TERMS))[0]

    async def play(self) -> None:
        """Everything at once."""
        ledger = self.ledger
        await housekeeping.sweep(ledger, "default", "host-1-0", TERMS, 30.0)
        await intake.prepare(ledger)
        await self.ending_jobs()
        await self.a_job_in_every_place()
        # The ones that follow stay as they are submitted.
        await self.submit(3, malformed=2, priority=Priority.BULK, idempotency_key="key-1", requested_by="shop")
        await self.submit(5, deadline_ms=FAR_MS, priority=Priority.URGENT, reason="Überlauf")
        await self.submit(3, start_at_ms=await ledger.now_ms() + 60_000)
        await self.submit(4, deadline_ms=await ledger.now_ms() + 60_000)
        await control.pause_job(ledger, await self.submit(3))
        await self.what_came_by_the_intake()
        await self.a_submission_that_is_not_sealed()
        await self.other_accounts()

    async def ending_jobs(self) -> None:
        """One that has ended, and one that is aborted: some of it may have been sent, some of it was never."""
        await self.submit(2)
        await self.settle(await self.claim("calls"), *[WriteResult(Outcome.CANCELLED, 1, 200)] * 2)
        aborted = await self.submit(10)
        await self.settle(await self.claim("calls"), *[CallAgain(0.0, 1, 1, unclear_s=30.0)] * 4)
        again = CallAgain(LATER, 1, 1)
        await self.settle(await self.claim("calls"), again, again, CallAgain(0.0, 1, 1, group=0), again)
        await self.ledger.run("abort", "default", aborted)  # whoever asked for it died before the slices

    async def a_job_in_every_place(self) -> None:
        """Two jobs with references queued, waiting, alone, in claims and settled."""
        await self.submit(30, reason="carrier strike", requested_by="j.doe")
        await self.submit(14)
        first = await self.claim("calls")
        trouble = TroubledCall("calls", 503, "busy", "c-1", 120, {first.parts[0].job: first.references[2:]})
        await self.settle(
            first, WriteResult(Outcome.MANIFESTED, 1, 200, f"It {WORDS}", "Manifested"),
            ReadState(0.0, 0, 1, refusal_status=200, refusal_words=WORDS), CallAgain(0.0, 1, 1, unclear_s=30.0),
            CallAgain(0.0, 1, 1, group=0), trouble=trouble,
            listed=TriedBatch(8, taken=False), learnt=(WORDS, "manifested"),
        )  # fmt: skip
        await self.claim("reads")
        await self.claim("alone")
        await self.claim("calls", interval_us=15_000)
        await self.claim("calls", interval_us=15_000)  # its token was given out ahead of time
        staged = [await self.claim("calls", "staged") for _ in range(3)]
        await self.settle(
            staged[1], CallAgain(LATER, 2, 2), CallAgain(LATER, 1, 1, group=0), CallAgain(LATER, 1, 1, group=0),
            ReadState(LATER, 1, 2, refusal_status=404, refusal_words="…"),
        )  # fmt: skip
        await self.settle(
            staged[2], *[CallAgain(0.0, 1, 1, group=0)] * 2, ReadState(0.0, 1, 1, reads=2, unclear_s=30.0),
            WriteResult(Outcome.CANCELLED, 1, 200), learnt=("it may be", "open"),
        )  # fmt: skip
        await self.share_flow("default", Breaker())

    async def share_flow(self, account: str, breaker: Breaker) -> None:
        """Counters, and a state that they have led to."""
        now_ms = await self.ledger.now_ms()
        state = FlowState(
            now_ms, concurrency.start(ConcurrencyPolicy(), 8, now_ms), breaker=breaker, seen={"drain1": COUNTERS}
        )
        seen = await flow_state.share(self.ledger, account, "drain1", COUNTERS)
        move = Move(seen.version, state, wording=SettingNames())
        assert (await flow_state.share(self.ledger, account, move=move)).moved

    async def what_came_by_the_intake(self) -> None:
        """A small job that an entry has become, an entry that a reader holds, and one that nobody has read."""
        await self.hand_in("entry-key", self.references(2))
        (entry,) = await intake.read(self.ledger, self.ledger.redis, "reader", count=1, block_ms=1000)
        small = intake.SmallJob(entry.id, JobRequest(requested_by="erp"), self.references(2), [], 0)
        words, _ = await intake.seal_small(self.ledger, "default", [small], idempotency_keep_s=3600, per_call=4)
        assert words == ["sealed"]
        (job,) = await self.ledger.redis.zrevrange(self.ledger.keys.jobs, 0, 0)
        self.jobs[job.decode()] = list(small.references)
        self.jobs["entries"] = self.references(4)
        await self.hand_in("held", self.jobs["entries"][:2])
        await intake.read(self.ledger, self.ledger.redis, "reader", count=1, block_ms=1000)
        await self.hand_in("unread", self.jobs["entries"][2:])

    async def hand_in(self, key: str, references: list[str]) -> None:
        """An entry of another system."""
        fields = {"references": "\n".join(references), "requested_by": "erp", "idempotency_key": key}
        await self.ledger.redis.xadd(self.ledger.keys.intake, fields)

    async def a_submission_that_is_not_sealed(self) -> None:
        """Its producer has died."""
        chunk = pack_fresh("\n".join(self.references(3)))
        await self.ledger.run("submit", "default", submission.new_job_id(), "nonce", 1, 3, 0, 0, chunk, "")

    async def other_accounts(self) -> None:
        """One that is paused, and one whose breaker is open."""
        await self.submit(3, account="paused")
        await control.pause_account(self.ledger, "paused")
        await self.submit(6, account="broken")
        claim = await self.claim("calls", account="broken")
        await self.settle(
            claim, *[CallAgain(LATER, 1, 1)] * 4, account="broken", hold_ms=5000, hold_why="Retry-After: 5"
        )
        now_ms = await self.ledger.now_ms()
        await self.share_flow(
            "broken",
            Breaker(Mode.OPEN, now_ms, now_ms + 30_000, BreakerCause.OUTAGE, "503 Service Unavailable", tries=2, run=5),
        )


async def record(folder: Path) -> Path:
    """Plays and writes it down."""
    random.seed(SEED)
    with running("valkey", folder) as server:
        redis = await connect(server.url)
        ledger = Ledger(redis)
        await ledger.open()
        recorder = Recorder(ledger)
        began_ms = await ledger.now_ms()
        ids = (job_id(recorded.BEGAN_MS, n) for n in range(1, 100))
        with (
            mock.patch.object(submission, "new_job_id", side_effect=ids),
            mock.patch.object(intake, "new_job_id", side_effect=ids),
        ):
            await recorder.play()
        commands = await recorded.commands_of(redis, f"{ledger.keys.prefix}*")
        await redis.aclose()
    return recorded.save(FORMAT, recorder.jobs, recorded.moved(commands, began_ms))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(asyncio.run(record(Path(name))))
