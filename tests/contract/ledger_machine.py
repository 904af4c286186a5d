"""A model of the ledger as a state machine: what may be called, and what must hold after every step."""

import asyncio
from collections import Counter

import hypothesis.strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from cancellist.jobs.errors import IdempotencyConflictError, JobStateError
from cancellist.jobs.flow.batch_size import TriedBatch
from cancellist.jobs.ledger import changes, claims, control, housekeeping, records
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Share
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Outcome, Priority
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from tests.contract.ledger_invariants import TERMS, LedgerInvariants

POOL = [f"EC-000-000-{n:03d}" for n in range(60)]
A = "default"
SELDOM = st.sampled_from([False] * 4 + [True])


class LedgerMachine(LedgerInvariants, RuleBasedStateMachine):
    url = ""
    jobs = Bundle("jobs")
    held = Bundle("held")
    settled = Bundle("settled")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = self.do(connect(self.url))
        self.do(self.redis.flushall())
        self.ledger = Ledger(self.redis)
        self.do(self.ledger.open())
        self.serial = 0
        self.submitted: dict[str, Counter[str]] = {}
        self.claimed: dict[str, Claim] = {}
        self.asks: dict[str, Ask] = {}
        self.outcomes: dict[tuple[str, str], set[Outcome]] = {}
        self.keys: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.account_paused = False

    def do(self, work):
        return self.loop.run_until_complete(work)

    def attempt(self, work, refusal):
        try:
            return self.do(work), None
        except refusal as error:
            return None, error

    def teardown(self) -> None:
        self.do(self.redis.aclose())
        self.loop.close()

    # what a producer does

    @initialize(target=jobs, sizes=st.lists(st.integers(1, 60), min_size=3, max_size=3))
    def begin(self, sizes):
        return multiple(
            *(self.submit(POOL[:size], 0, Priority.NORMAL, None, None, False, canary=size % 2 * 4) for size in sizes)
        )

    @rule(
        target=jobs,
        references=st.lists(st.sampled_from(POOL), max_size=35, unique=True),
        malformed=st.integers(0, 3),
        priority=st.sampled_from(Priority),
        key=st.sampled_from([None, None, None, "k1", "k2"]),
        held=st.sampled_from([None] * 8 + [3_600_000]),
        lost=st.booleans(),
        canary=st.sampled_from([0, 0, 0, 3, 12]),
    )
    def submit(self, references, malformed, priority, key, held, lost, canary):
        if not references and not malformed:
            return multiple()
        now = self.do(self.ledger.now_ms())
        starts_ms = now + held if held else None
        order = JobRequest(priority=priority, idempotency_key=key, start_at_ms=starts_ms, canary=canary)
        submission = Submission(self.ledger, order)
        invalid = [InvalidEntry(n, f"bad {n}", "not a reference") for n in range(malformed)]
        self.do(submission.add(references, invalid))
        content = (priority, tuple(references), malformed, canary)
        sealed, bound_to = self.attempt(self.seal(submission), IdempotencyConflictError)
        if bound_to:
            assert self.keys[key] != content
            assert bound_to.job in self.submitted
            return multiple()
        if lost:
            assert self.do(self.seal(submission)).job == sealed.job
        if sealed.same:
            assert self.keys[key] == content
            return multiple()
        if key:
            self.keys[key] = content
        self.submitted[sealed.job] = Counter(references) + Counter(e.text for e in invalid)
        return sealed.job

    async def seal(self, submission):
        return await submission.seal(duplicates=0, idempotency_keep_s=3600, per_call=TERMS.per_call)

    # what workers do

    @rule(target=held, mode=st.sampled_from(["any", "slot", "staged", "leave"]), drain=st.sampled_from(["d1", "d2"]))
    def claim(self, mode, drain):
        self.serial += 1
        ask = Ask(f"c{self.serial}", drain, mode, 0, TERMS)
        answer = self.do(claims.claim(self.ledger, A, ask))
        return self._hold(ask, answer)

    def _hold(self, ask, answer):
        if not isinstance(answer, Claim):
            return multiple()
        assert sum(len(p.piece.references) for p in answer.parts) <= TERMS.per_call
        assert len(set(answer.references)) == len(answer.references)
        assert answer.kind != "reads" or len(answer.references) == 1
        self.claimed[ask.claim] = answer
        self.asks[ask.claim] = ask
        return ask.claim

    @rule(target=held, count=st.integers(1, 5))
    def claim_several(self, count):
        return multiple(*(c for c in (self.claim("any", "d1") for _ in range(count)) if isinstance(c, str)))

    @rule(claim=held)
    def claim_again(self, claim):
        if claim not in self.claimed:
            return
        again = self.do(claims.claim(self.ledger, A, self.asks[claim]))
        assert isinstance(again, Claim)
        assert again.parts == self.claimed[claim].parts
        assert again.kind == self.claimed[claim].kind

    @rule(
        target=settled,
        claim=consumes(held),
        verdicts=st.lists(st.integers(0, 8), min_size=1, max_size=10),
        chain=st.booleans(),
        give=st.booleans(),
        listed=st.none() | st.builds(TriedBatch, st.integers(2, 12), st.booleans()),
    )
    def settle(self, claim, verdicts, chain, give, listed):
        ours = claim in self.claimed
        held = self.claimed.get(claim)
        parts = []
        for part in held.parts if held else ():
            shares = {}
            for at, reference in enumerate(part.piece.references):
                step = self._step(part.piece, held.kind, verdicts[at % len(verdicts)])
                shares.setdefault(step, []).append(reference)
                if isinstance(step, WriteResult):
                    self.outcomes.setdefault((part.job, reference), set()).add(step.outcome)
            parts.append([Share(step, tuple(refs), len(refs)) for step, refs in shares.items()])
        settlement = Settlement(claim, parts, (claim,) if give else (), {}, listed=listed, learnt=("no", "open"))
        ask = None
        if chain:
            self.serial += 1
            ask = Ask(f"c{self.serial}", "d1", "any", 0, TERMS)
        taken, answer = self.do(claims.settle(self.ledger, A, settlement, ask, TERMS))
        assert taken == ours
        if not give:
            self.do(claims.release(self.ledger, A, [], [claim], TERMS))
        self.claimed.pop(claim, None)
        if ask:
            self._hold(ask, answer)
        return (settlement, ask) if ours else multiple()

    @staticmethod
    def _step(piece, kind, verdict):
        attempts, named = piece.attempts, piece.named + 1
        return [
            WriteResult(Outcome.CANCELLED, named, 200),
            WriteResult(Outcome.MANIFESTED, named, 200, "it is manifested", "Manifested"),
            CallAgain(0.0, attempts + 1, named),
            CallAgain(60.0, attempts + 1, named, unclear_s=0.001),
            ReadState(0.0, attempts, named, refusal_status=200, refusal_words="no"),
            ReadState(60.0, attempts, named, unclear_s=0.001),
            CallAgain(0.0, attempts, named, group=0),
            CallAgain(0.0, attempts, named, group=1),
            CallAgain(60.0, attempts + 1, named, unclear_s=0.001, group=0),
        ][verdict]

    @rule(done=settled)
    def settle_again(self, done):
        settlement, ask = done
        before = self.do(self.redis.xlen("cancellist:results"))
        learnt = self.do(self.redis.hgetall("cancellist:account:default:words"))
        taken, answer = self.do(claims.settle(self.ledger, A, settlement, ask, TERMS))
        assert taken
        assert self.do(self.redis.xlen("cancellist:results")) == before
        assert self.do(self.redis.hgetall("cancellist:account:default:words")) == learnt
        if ask and ask.claim in self.claimed:
            assert isinstance(answer, Claim)
            assert answer.parts == self.claimed[ask.claim].parts
        elif ask:
            self._forget_or_hold(ask, answer)

    def _forget_or_hold(self, ask, answer):
        if isinstance(answer, Claim):
            self.claimed[ask.claim] = answer
            self.asks[ask.claim] = ask

    @rule(claim=held)
    def renew(self, claim):
        _, lost, _ = self.do(claims.renew(self.ledger, A, "d1", TERMS, [claim], [claim]))
        assert lost == (set() if claim in self.claimed else {claim})

    @rule(claim=consumes(held), twice=st.booleans())
    def release(self, claim, twice):
        count = self.do(claims.release(self.ledger, A, [claim], [claim], TERMS))
        assert count == (1 if claim in self.claimed else 0)
        self.claimed.pop(claim, None)
        if twice:
            assert self.do(claims.release(self.ledger, A, [claim], [claim], TERMS)) == 0

    @rule(claim=held)
    def lease_passes(self, claim):
        if claim not in self.claimed:
            return
        self.do(self.sweep())
        self.do(self.redis.zadd("cancellist:account:default:claims", {claim: 1}))
        self.do(self.redis.zrem("cancellist:account:default:slots", claim))
        swept = self.do(self.sweep())
        assert swept.taken_over == 1
        self.claimed.pop(claim)

    async def sweep(self):
        return await housekeeping.sweep(self.ledger, A, "w1", TERMS, 0.001)

    @rule()
    def what_is_later_comes_due(self):
        key = "cancellist:account:default:later"
        for member in self.do(self.redis.zrange(key, 0, -1)):
            self.do(self.redis.zadd(key, {member: 1}))
        self.do(self.sweep())

    @rule(job=jobs)
    def its_time_comes(self, job):
        if self.do(self.redis.zscore("cancellist:account:default:held", job)) is not None:
            self.do(self.redis.zadd("cancellist:account:default:held", {job: 1}))
            self.do(self.sweep())
            assert self.do(records.get(self.ledger, job)).state is not JobState.HELD

    @rule(job=jobs, chance=SELDOM)
    def its_deadline_passes(self, job, chance):
        if not chance:
            return
        if not self.do(records.get(self.ledger, job)).state.ended:
            self.do(self.redis.hset(f"cancellist:job:{job}", "deadline", 1))
            self.do(self.redis.zadd("cancellist:account:default:deadlines", {job: 1}))
            self.do(self.sweep())
            while self.do(housekeeping.slice_oldest(self.ledger, A)):
                pass

    # what an operator does

    @rule(job=jobs, account=st.booleans(), chance=SELDOM)
    def pause(self, job, account, chance):
        if not chance:
            self.do(control.resume_account(self.ledger, A, TERMS.per_call))
            return
        if account:
            self.do(control.pause_account(self.ledger, A))
            self.account_paused = True
            return
        state, refused = self.attempt(control.pause_job(self.ledger, job), JobStateError)
        assert state is JobState.PAUSED or refused.state in {"halted", "completed", "aborting", "aborted"}

    @rule(job=jobs, account=st.booleans())
    def resume(self, job, account):
        if account:
            self.do(control.resume_account(self.ledger, A, TERMS.per_call))
            self.account_paused = False
            return
        answer, refused = self.attempt(control.resume_job(self.ledger, job, TERMS.per_call), JobStateError)
        if refused:
            assert refused.state in {"completed", "aborting", "aborted"}
        else:
            assert answer[0] in {JobState.HELD, JobState.QUEUED, JobState.RUNNING}

    @rule(job=jobs, chance=SELDOM)
    def abort(self, job, chance):
        if not chance:
            return
        state, refused = self.attempt(control.abort_job(self.ledger, job), JobStateError)
        if refused:
            assert refused.state == "completed"
            return
        assert state in {JobState.ABORTING, JobState.ABORTED}
        for kind in ("calls", "canary"):
            assert self.do(self.redis.llen(f"cancellist:job:{job}:{kind}")) == 0

    @rule(
        job=jobs,
        priority=st.none() | st.sampled_from(Priority),
        deadline=st.sampled_from([None, "+1h", "+2h", "none"]),
        sliced=st.booleans(),
    )
    def update(self, job, priority, deadline, sliced):
        change = Change(priority, None if deadline == "none" else deadline, deadline == "none")
        before = self.do(records.get(self.ledger, job))
        now = self.do(self.ledger.now_ms())
        _, refused = self.attempt(changes.update(self.ledger, job, change), JobStateError)
        if refused:
            past = before.order.deadline_ms is not None and before.order.deadline_ms <= now
            assert refused.state in {"completed", "aborting", "aborted"} or (past and deadline)
            return
        after = self.do(records.get(self.ledger, job)).order
        assert priority in {None, after.priority}
        assert deadline is None or (after.deadline_ms is None) == (deadline == "none")
        if sliced:
            self.slice(job)

    @rule(job=jobs)
    def slice(self, job):
        self.do(housekeeping.slices(self.ledger, A, job))

    @invariant()
    def every_reference_is_in_one_place_and_counters_agree(self):
        self.do(self.check())
