"""Histories of one reference, through calls and reads in time, whatever is answered."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses.after_reading import after_reading
from cancellist.jobs.responses.retry_policy import RetryPolicy, after_call, backoff
from cancellist.jobs.responses.status_read import Found, StateClass, Unknown, Unread, state_class
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.jobs.responses.verdicts import Confirmed, Refused, Unclear, Untaken

EXAMPLES = settings(max_examples=120, deadline=None)
REFERENCE = ("EC-000-05D-1NS",)
T0 = 1_795_456_800_000
CALL_MS = 40

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 12),
    base_s=st.floats(0.05, 2.0),
    cap_s=st.floats(2.0, 60.0),
    call_timeout_s=st.floats(0.5, 60.0),
)
jitters = st.floats(0.05, 1.0, exclude_max=True)
state_names = st.sampled_from(
    ["Cancelled", "Cancelling", "Allocated", "Manifesting", "Manifested", "Lost", "Odd", "ReadyToShip"]
)
counted_verdicts = st.one_of(
    st.builds(Unclear, st.just("reset")),
    st.builds(Unclear, st.just("HTTP 405"), st.just(405), ended=st.just(True)),
    st.builds(Untaken, st.just("HTTP 404"), st.just(404)),
)
verdicts = st.one_of(
    counted_verdicts,
    counted_verdicts,
    st.builds(Untaken, st.just("HTTP 401"), st.just(401), st.just(False)),
    st.builds(Unclear, st.just("HTTP 429"), st.just(429), st.just(False), st.just(True)),
    st.builds(Refused, st.just(200), st.just("no") | st.none()),
    st.builds(Confirmed, st.just(200)),
)
counted_readings = st.one_of(
    st.builds(Found, state_names, st.just(200)), st.builds(Unread, st.just("HTTP 500"), st.just(500))
)
readings = st.one_of(
    counted_readings,
    counted_readings,
    st.builds(Unread, st.just("HTTP 429"), st.just(429), st.just(False)),
    st.builds(Unknown, st.just(404)),
)
pieces = st.builds(
    Piece,
    st.just(REFERENCE),
    attempts=st.integers(0, 12),
    named=st.integers(0, 20),
    unclear_until_ms=st.sampled_from([0, 1, T0]),
    reads=st.integers(0, 12),
    refusal_status=st.sampled_from([None, 200, 404]),
    refusal_words=st.sampled_from([None, "no"]),
)
lefts = st.sampled_from([0.0, 0.0, 0.5, 29.0])


@dataclass
class Life:
    """One reference's life as the ledger would lead it, beside what really happened, told by the answers alone."""

    policy: RetryPolicy
    piece: Piece = field(default_factory=lambda: Piece(REFERENCE))
    kind: str = "calls"
    now_ms: int = T0
    last: WriteResult | None = None
    steps: int = 0
    seen_cancelled: bool = False
    confirmed: bool = False
    doubted: bool = False
    may_act_until_ms: int = 0

    def left_s(self):
        return max(0.0, (self.piece.unclear_until_ms - self.now_ms) / 1000) if self.piece.maybe_sent else 0.0

    def step(self, verdict, reading, jitter):
        self.steps += 1
        before, left_s, calls, at_ms = self.piece, self.left_s(), self.kind == "calls", self.now_ms
        self.now_ms += CALL_MS
        if calls:
            step = after_call(before, verdict, self.policy, jitter, left_s)
            self.note_call(verdict)
        else:
            step = after_reading(before, reading, self.policy, jitter, left_s)
            self.note_reading(reading, at_ms)
        self.keep(before, step, at_ms)
        if not isinstance(step, WriteResult):
            assert step.attempts >= before.attempts
            assert step.named == before.named + calls
            assert step.delay_s >= 0
            self.now_ms += round(step.delay_s * 1000)

    def note_call(self, verdict):
        self.confirmed |= isinstance(verdict, Confirmed)
        if isinstance(verdict, Unclear):
            self.doubted = True
            if not verdict.ended:
                self.may_act_until_ms = self.now_ms + round(self.policy.call_timeout_s * 1000)

    def note_reading(self, reading, at_ms):
        meaning = state_class(reading.state) if isinstance(reading, Found) else None
        self.seen_cancelled |= meaning is StateClass.CANCELLED
        if meaning in {StateClass.OPEN, StateClass.MANIFESTED} and at_ms >= self.may_act_until_ms:
            self.doubted = False

    def keep(self, before, step, at_ms):
        match step:
            case WriteResult():
                self.last = step
                self.check(before, step, at_ms)
            case CallAgain():
                unclear = 0 if step.cleared else before.unclear_until_ms
                self.piece = Piece(REFERENCE, step.attempts, step.named, self.marked(unclear, step.unclear_s))
                self.kind = "calls"
            case ReadState():
                self.piece = Piece(
                    REFERENCE, step.attempts, step.named, self.marked(before.unclear_until_ms, step.unclear_s),
                    step.reads, step.refusal_status, step.refusal_words,
                )  # fmt: skip
                self.kind = "reads"

    def marked(self, unclear_ms, unclear_s):
        return max(unclear_ms, self.now_ms + round(unclear_s * 1000)) if unclear_s else unclear_ms

    def check(self, before, step, at_ms):
        """What must hold of a result, by what really happened."""
        if step.outcome is Outcome.CANCELLED:
            assert self.confirmed or (self.seen_cancelled and self.doubted)
        if step.outcome is Outcome.ALREADY_CANCELLED:
            assert self.seen_cancelled
            assert not self.doubted
        if at_ms < self.may_act_until_ms:
            assert step.outcome is Outcome.CANCELLED
        if step.outcome is Outcome.FAILED:
            assert step.attempts >= self.policy.max_attempts
        assert step.attempts == before.named + (self.kind == "calls")


@EXAMPLES
@given(policies, st.lists(st.tuples(verdicts, readings, jitters), max_size=60))
def test_whatever_is_answered_no_result_says_more_than_is_known(policy, answers):
    life = Life(policy)
    for verdict, reading, jitter in answers:
        if life.last is None:
            life.step(verdict, reading, jitter)


@EXAMPLES
@given(policies, st.lists(st.tuples(counted_verdicts, counted_readings, jitters), min_size=1, max_size=30))
def test_every_history_ends_while_what_is_answered_counts(policy, answers):
    life = Life(policy)
    while life.last is None:
        life.step(*answers[life.steps % len(answers)])
        assert life.steps <= 40 * policy.max_attempts + 200, life.piece
    assert life.last.attempts <= policy.max_attempts


@EXAMPLES
@given(
    policies, st.lists(st.tuples(verdicts, readings, jitters), max_size=30), counted_verdicts, counted_readings, jitters
)
def test_every_history_ends_once_what_is_answered_counts_at_last(policy, answers, verdict, reading, jitter):
    life = Life(policy)
    for answer in answers:
        if life.last is None:
            life.step(*answer)
    begun = life.steps
    while life.last is None:
        life.step(verdict, reading, jitter)
        assert life.steps - begun <= 40 * policy.max_attempts + 200, life.piece


@EXAMPLES
@given(policies, st.lists(st.tuples(verdicts, readings, jitters), max_size=20), jitters)
def test_a_reference_taken_over_from_dead_workers_beyond_its_attempts_ends_as_well(policy, answers, jitter):
    life = Life(policy)
    spent, marked = policy.max_attempts + 2, T0 + round(policy.call_timeout_s * 1000)
    life.piece = Piece(REFERENCE, attempts=spent, named=spent, unclear_until_ms=marked)
    life.doubted, life.may_act_until_ms = True, marked
    for answer in answers:
        if life.last is None:
            life.step(*answer)
    begun = life.steps
    while life.last is None:
        life.step(Unclear("reset"), Found("Allocated", 200), jitter)
        assert life.steps - begun <= 40 * policy.max_attempts + 200, life.piece


@EXAMPLES
@given(policies, st.integers(1, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_a_pause_lies_between_nought_and_both_of_its_bounds(policy, attempt, jitter):
    pause_s = backoff(attempt, policy, jitter)
    assert 0.0 <= pause_s <= policy.cap_s
    assert pause_s <= policy.base_s * 2.0 ** min(attempt - 1, 60)
    assert pause_s <= backoff(attempt + 1, policy, jitter)


@EXAMPLES
@given(pieces, verdicts, policies, jitters, lefts)
def test_after_a_call_attempts_and_calls_never_decrease(piece, verdict, policy, jitter, left_s):
    step = after_call(piece, verdict, policy, jitter, left_s)
    if isinstance(step, WriteResult):
        assert step.attempts == piece.named + 1
    else:
        assert piece.attempts <= step.attempts <= piece.attempts + 1
        assert step.named == piece.named + 1
        assert step.delay_s >= 0.0


@EXAMPLES
@given(pieces, readings, policies, jitters, lefts)
def test_after_a_reading_attempts_and_calls_stay_and_no_try_is_forgotten(piece, reading, policy, jitter, left_s):
    step = after_reading(piece, reading, policy, jitter, left_s)
    if isinstance(step, WriteResult):
        assert step.attempts == piece.named
    else:
        assert (step.attempts, step.named) == (piece.attempts, piece.named)
    if isinstance(step, ReadState):
        assert piece.reads <= step.reads <= piece.reads + 1
        assert (step.refusal_status, step.refusal_words) == (piece.refusal_status, piece.refusal_words)


@EXAMPLES
@given(pieces, verdicts, policies, jitters, lefts)
def test_after_a_call_only_a_confirmation_is_cancelled(piece, verdict, policy, jitter, left_s):
    step = after_call(piece, verdict, policy, jitter, left_s)
    assert isinstance(verdict, Confirmed) == (isinstance(step, WriteResult) and step.outcome is Outcome.CANCELLED)


@EXAMPLES
@given(pieces, verdicts, policies, jitters, lefts)
def test_after_a_call_what_may_have_been_sent_never_ends_in_the_negative_unread(piece, verdict, policy, jitter, left_s):
    step = after_call(piece, verdict, policy, jitter, left_s)
    if isinstance(step, WriteResult) and step.outcome is not Outcome.CANCELLED:
        assert step.outcome is Outcome.FAILED
        assert not piece.maybe_sent
        assert isinstance(verdict, Untaken)


@EXAMPLES
@given(pieces, readings, policies, jitters)
def test_while_an_unclear_call_may_act_only_cancelled_is_final(piece, reading, policy, jitter):
    step = after_reading(piece, reading, policy, jitter, 3.0)
    if isinstance(step, WriteResult):
        assert isinstance(reading, Found)
        assert state_class(reading.state) is StateClass.CANCELLED


@EXAMPLES
@given(pieces, state_names, policies, jitters, lefts)
def test_the_doubt_is_cleared_only_by_a_state_that_is_not_cancelled_after_the_last_unclear_call(
    piece, state, policy, jitter, left_s
):
    step = after_reading(piece, Found(state, 200), policy, jitter, left_s)
    if isinstance(step, CallAgain):
        assert left_s == 0.0
        assert step.cleared == (state_class(state) in {StateClass.OPEN, StateClass.MANIFESTED})


@EXAMPLES
@given(pieces, readings, policies, jitters, lefts)
def test_a_negative_outcome_rests_on_a_refusal_and_on_what_was_read(piece, reading, policy, jitter, left_s):
    step = after_reading(piece, reading, policy, jitter, left_s)
    if isinstance(step, WriteResult) and step.outcome in {Outcome.MANIFESTED, Outcome.NOT_FOUND, Outcome.REJECTED}:
        assert piece.refusal_status is not None
        assert left_s == 0.0
        assert isinstance(reading, Unknown) == (step.outcome is Outcome.NOT_FOUND)
        if isinstance(reading, Found):
            assert step.state == reading.state
            assert (state_class(reading.state) is StateClass.MANIFESTED) == (step.outcome is Outcome.MANIFESTED)


TEXTS = st.one_of(
    st.sampled_from(
        [
            "Consignment cancellation failed",
            "it was Delivered",
            "already Cancelled",
            "state: Manifested",
            "not found",
            "",
        ]
    ),
    st.text(max_size=30),
)
RESTING = {
    StateClass.CANCELLED: Outcome.ALREADY_CANCELLED,
    StateClass.MANIFESTED: Outcome.MANIFESTED,
    StateClass.OPEN: Outcome.REJECTED,
    StateClass.STRANGE: Outcome.REJECTED,
}


@EXAMPLES
@given(st.lists(st.tuples(TEXTS, st.one_of(state_names, st.text(min_size=1, max_size=9))), max_size=80), policies)
def test_whatever_texts_stand_for_whatever_states_in_any_order_each_result_is_what_its_own_read_says(told, policy):
    for text, state in told:
        step = after_call(Piece(REFERENCE), Refused(200, text or None), policy, 0.5, 0.0)
        assert isinstance(step, ReadState)
        piece = Piece(REFERENCE, named=step.named, refusal_status=200, refusal_words=step.refusal_words)
        found = after_reading(piece, Found(state, 200), policy, 0.5, 0.0)
        meaning = state_class(state)
        if meaning is StateClass.PASSING:
            assert isinstance(found, ReadState) or found.outcome in {Outcome.REJECTED, Outcome.UNCONFIRMED}
        else:
            assert (found.outcome, found.state, found.message) == (RESTING[meaning], state, text or None)
