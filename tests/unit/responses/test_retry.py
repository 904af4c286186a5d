from dataclasses import replace

import pytest

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses.after_reading import after_reading
from cancellist.jobs.responses.retry_policy import (
    RetryPolicy,
    after_call,
    after_known_refusal,
    after_lone_probe,
    backoff,
    singled_out,
    suspected,
    told_deallocated,
)
from cancellist.jobs.responses.status_read import Found, StateClass, Unknown, Unread
from cancellist.jobs.responses.steps import DEALLOCATED, CallAgain, ReadState, WriteResult
from cancellist.jobs.responses.verdicts import NO_ANSWER, OF_THE_CALLER, Confirmed, Refused, Unclear, Untaken

POLICY = RetryPolicy(max_attempts=3, base_s=1.0, cap_s=10.0, call_timeout_s=30.0)
FRESH = Piece(("EC-000-05D-1NS",))
SENT = Piece(FRESH.references, attempts=1, named=1, unclear_until_ms=5)
REFUSED = Piece(FRESH.references, named=1, refusal_status=200, refusal_words="no")
REFUSED_SENT = Piece(FRESH.references, attempts=1, named=2, unclear_until_ms=5, refusal_status=200, refusal_words="no")


def last(piece):
    """The same history with one attempt left."""
    return Piece(piece.references, POLICY.max_attempts - 1, POLICY.max_attempts - 1, piece.unclear_until_ms)


def spent(piece):
    return Piece(piece.references, POLICY.max_attempts, POLICY.max_attempts, piece.unclear_until_ms)


def call(piece, verdict, left_s=0.0):
    return after_call(piece, verdict, POLICY, 0.5, left_s)


def read(piece, reading, left_s=0.0):
    return after_reading(piece, reading, POLICY, 0.5, left_s)


@pytest.mark.parametrize(("attempt", "pause_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (1000, 5.0)])
def test_the_pause_doubles_up_to_the_cap(attempt, pause_s):
    assert backoff(attempt, POLICY, 0.5) == pause_s


def test_a_confirmed_reference_is_cancelled():
    assert call(FRESH, Confirmed(200, "words")) == WriteResult(Outcome.CANCELLED, 1, 200, "words")
    assert call(SENT, Confirmed(201)) == WriteResult(Outcome.CANCELLED, 2, 201)


def test_a_refused_reference_has_its_state_read_at_once():
    assert call(FRESH, Refused(200, "no")) == ReadState(0.0, 0, 1, refusal_status=200, refusal_words="no")


def test_a_refusal_burns_no_attempt():
    assert call(SENT, Refused(404)).attempts == SENT.attempts


def test_an_unclear_reference_is_sent_again_first():
    assert call(FRESH, Unclear("reset")) == CallAgain(0.5, 1, 1, unclear_s=30.0)


def test_an_unclear_reference_without_attempts_left_is_read_once_the_call_cannot_act_any_more():
    assert call(last(FRESH), Unclear("reset")) == ReadState(30.0, 3, 3, unclear_s=30.0)


def test_what_was_answered_unclearly_is_marked_as_maybe_sent_and_needs_no_quiet_time():
    step = call(FRESH, Unclear("not here", 405, ended=True))
    assert step == CallAgain(0.5, 1, 1, unclear_s=0.001)
    assert call(last(FRESH), Unclear("not here", 405, ended=True)) == ReadState(0.001, 3, 3, unclear_s=0.001)


def test_it_is_read_once_an_earlier_call_cannot_act_any_more_either():
    assert call(last(SENT), Unclear("not here", 405, ended=True), 12.0).delay_s == 12.0


def test_what_was_withheld_was_named_by_no_call_and_goes_on_at_once():
    assert call(SENT, Untaken("not in time", counted=False, withheld=True)) == CallAgain(0.0, 1, 1)
    assert call(spent(FRESH), Untaken("not in time", counted=False, withheld=True)) == CallAgain(0.0, 3, 3)


def test_an_untaken_reference_is_sent_again():
    assert call(FRESH, Untaken("HTTP 404", 404)) == CallAgain(0.5, 1, 1)


@pytest.mark.parametrize("piece", [FRESH, SENT, last(FRESH), last(SENT), spent(SENT)])
@pytest.mark.parametrize(
    "verdict", [Untaken("HTTP 401", 401, counted=False), Unclear("HTTP 429", 429, counted=False, ended=True)]
)
def test_what_does_not_count_burns_nothing_and_ends_nothing(piece, verdict):
    step = call(piece, verdict)
    assert isinstance(step, CallAgain)
    assert (step.attempts, step.named) == (piece.attempts, piece.named + 1)
    assert bool(step.unclear_s) == isinstance(verdict, Unclear)


def test_an_untaken_reference_without_attempts_left_has_failed():
    assert call(last(FRESH), Untaken("HTTP 404", 404)) == WriteResult(Outcome.FAILED, 3, 404, "HTTP 404")


@pytest.mark.parametrize("left_s", [0.0, 12.0])
def test_it_is_read_instead_where_an_earlier_call_may_have_acted(left_s):
    assert call(last(SENT), Untaken("HTTP 404", 404), left_s) == ReadState(left_s, 3, 3)


@pytest.mark.parametrize(
    ("piece", "outcome"), [(REFUSED, "already_cancelled"), (REFUSED_SENT, "cancelled"), (SENT, "cancelled")]
)
def test_cancelled_is_ours_where_a_call_of_this_job_may_have_acted(piece, outcome):
    step = read(piece, Found("Cancelled", 200), left_s=9.0)
    assert step == WriteResult(Outcome(outcome), piece.named, 200, piece.refusal_words, "Cancelled")


@pytest.mark.parametrize("piece", [REFUSED, REFUSED_SENT])
def test_one_that_was_refused_and_is_manifested_is_so_once_no_call_can_act_any_more(piece):
    assert isinstance(read(piece, Found("InTransit", 200), left_s=9.0), ReadState)
    assert read(piece, Found("InTransit", 200)).outcome is Outcome.MANIFESTED


@pytest.mark.parametrize("state", ["InTransit", "Allocated"])
def test_without_a_refusal_no_negative_state_decides_while_attempts_are_left(state):
    reading = Found(state, 200)
    assert read(SENT, reading) == CallAgain(0.5, 1, 1, cleared=True, status=200, state=state)
    assert isinstance(read(SENT, reading, left_s=9.0), ReadState)


@pytest.mark.parametrize(
    ("reading", "outcome", "state"),
    [
        (Found("InTransit", 200), "failed", "InTransit"),
        (Found("Allocated", 200), "failed", "Allocated"),
        (Found("Voided", 200), "unconfirmed", "Voided"),
        (Unknown(404), "unconfirmed", None),
    ],
)
def test_without_a_refusal_it_ends_as_what_no_call_has_taken_with_the_state_that_was_read(reading, outcome, state):
    step = read(spent(SENT), reading)
    assert (step.outcome, step.state) == (Outcome(outcome), state)


@pytest.mark.parametrize(("piece", "outcome"), [(REFUSED, "rejected"), (REFUSED_SENT, "unconfirmed")])
def test_a_state_that_nobody_knows_costs_one_read_after_a_refusal_and_is_told(piece, outcome):
    step = read(piece, Found("Voided", 200))
    assert (step.outcome, step.state) == (Outcome(outcome), "Voided")
    assert isinstance(read(piece, Found("Voided", 200), left_s=3.0), ReadState)


@pytest.mark.parametrize("reading", [Found("Voided", 200), Unknown(404)])
def test_what_says_nothing_of_cancelling_does_not_show_that_no_call_has_acted(reading):
    step = read(SENT, reading)
    assert isinstance(step, CallAgain)
    assert not step.cleared
    assert step.reads == 1


def test_one_that_is_not_known_is_not_found():
    assert read(REFUSED, Unknown(404)) == WriteResult(Outcome.NOT_FOUND, 1, 404, "no")


def test_one_that_was_refused_and_is_open_is_rejected_with_the_words():
    assert read(REFUSED, Found("Allocated", 200)) == WriteResult(Outcome.REJECTED, 1, 200, "no", "Allocated")


def test_one_that_is_open_after_the_last_attempt_has_failed():
    step = read(spent(SENT), Found("Allocated", 200))
    assert (step.outcome, step.state) == (Outcome.FAILED, "Allocated")


def test_one_that_is_open_and_has_attempts_left_is_called_again_with_its_doubt_cleared():
    assert read(SENT, Found("Allocated", 200)) == CallAgain(0.5, 1, 1, cleared=True, status=200, state="Allocated")


@pytest.mark.parametrize("piece", [SENT, REFUSED_SENT, spent(SENT)])
@pytest.mark.parametrize("reading", [Found("Allocated", 200), Unknown(404)])
def test_nothing_negative_is_final_while_an_unclear_call_may_still_act(piece, reading):
    step = read(piece, reading, left_s=7.0)
    assert isinstance(step, ReadState)
    assert step.delay_s == 7.0


@pytest.mark.parametrize("state", ["Cancelling", "Allocating", "Manifesting"])
def test_a_passing_state_is_looked_at_again_later(state):
    step = read(REFUSED, Found(state, 200))
    assert isinstance(step, ReadState)
    assert step.delay_s >= POLICY.base_s
    assert (step.reads, step.refusal_status, step.refusal_words) == (1, 200, "no")


@pytest.mark.parametrize(
    ("piece", "state", "outcome"),
    [
        (REFUSED, "Manifesting", "rejected"), (REFUSED_SENT, "Manifesting", "unconfirmed"),
        (REFUSED, "Cancelling", "unconfirmed"), (REFUSED_SENT, "Cancelling", "unconfirmed"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_pass_ends_at_last(piece, state, outcome):
    tried = Piece(piece.references, piece.attempts, piece.named, piece.unclear_until_ms, 2, 200, "no")
    step = read(tried, Found(state, 200))
    assert (step.outcome, step.state) == (Outcome(outcome), state)
    assert isinstance(read(tried, Found(state, 200), left_s=1.0), ReadState)


def test_a_state_that_cannot_be_read_is_unconfirmed_once_pauses_have_grown_and_reads_are_spent():
    piece, waited_s = REFUSED_SENT, 0.0
    assert POLICY.most_reads == 3 + 4  # 1, 2, 4, 8 s, and three of 10 s
    for reads in range(1, POLICY.most_reads):
        step = read(piece, Unread("HTTP 500", 500))
        assert isinstance(step, ReadState)
        assert (step.reads, step.refusal_status, step.refusal_words) == (reads, 200, "no")
        waited_s += step.delay_s
        piece = Piece(piece.references, step.attempts, step.named, 5, step.reads, 200, "no")
    assert waited_s >= (1 + 2 + 4 + 8 + 10 + 10) / 2
    step = read(piece, Unread("HTTP 500", 500))
    assert (step.outcome, step.attempts, step.status) == (Outcome.UNCONFIRMED, 2, 500)
    assert "HTTP 500" in step.message


def test_an_uncounted_reading_burns_no_try():
    step = read(REFUSED, Unread("HTTP 429", 429, counted=False))
    assert isinstance(step, ReadState)
    assert step.reads == 0


def test_the_attempts_of_a_result_are_all_calls_that_named_it():
    piece = Piece(FRESH.references, attempts=1, named=6)
    assert call(piece, Confirmed(200)).attempts == 7
    assert read(piece, Found("Cancelled", 200)).attempts == 6


def probed(piece, verdict):
    """What follows a probe of it alone: it burns nothing."""
    return after_lone_probe(piece, call(piece, verdict), POLICY)


def test_what_a_lone_probe_has_called_in_vain_is_read_next():
    assert probed(SENT, Unclear("HTTP 500", 500, counted=False)) == ReadState(0.5, 1, 2, unclear_s=30.0)
    piece = Piece(FRESH.references, attempts=1, named=1, reads=2)
    assert probed(piece, Unclear("HTTP 500", 500, counted=False)).reads == 2


def test_what_a_lone_probe_has_read_in_vain_after_a_refusal_is_called_next():
    piece = Piece(FRESH.references, 1, 2, refusal_status=200, refusal_words="no", reads=2)
    step = after_lone_probe(piece, read(piece, Unread("HTTP 500", 500, counted=False)), POLICY)
    assert step == CallAgain(1.5, 1, 2, reads=2)


def test_what_a_lone_probe_has_read_in_vain_with_no_refusal_is_called_next_too():
    step = after_lone_probe(SENT, read(SENT, Unread("HTTP 500", 500, counted=False)), POLICY)
    assert step == CallAgain(0.75, 1, 1)


def test_what_a_lone_probe_has_read_in_vain_is_read_again_once_its_calls_are_used_up():
    step = read(spent(SENT), Unread("HTTP 500", 500, counted=False))
    assert isinstance(step, ReadState)
    assert after_lone_probe(spent(SENT), step, POLICY) == step


def test_a_result_of_a_lone_probe_stands():
    settle = call(FRESH, Confirmed(200))
    assert after_lone_probe(FRESH, settle, POLICY) == settle


def test_reads_that_were_tried_are_not_forgotten_by_a_call_between_them():
    piece = Piece(FRESH.references, named=1, reads=2)
    assert call(piece, Refused(400, "no")).reads == 2


def test_one_alone_that_is_not_answered_is_given_up_after_long_though_no_other_shows_why():
    verdict = Unclear("HTTP 404", 404, counted=False, alone_after=NO_ANSWER)
    patient = replace(FRESH, named=POLICY.patience - 1, unanswered=POLICY.patience - 1)
    assert isinstance(after_call(patient, verdict, POLICY, 0.5, 0.0, lone=True), CallAgain)
    spent_ = replace(patient, unanswered=POLICY.patience)
    assert isinstance(after_call(spent_, verdict, POLICY, 0.5, 0.0, lone=True), ReadState)
    assert isinstance(after_call(spent_, verdict, POLICY, 0.5, 0.0, lone=False), CallAgain)
    assert read(spent_, Found("Allocated", 200)).outcome is Outcome.FAILED


def test_reads_that_are_not_answered_are_waited_for_longer_than_those_that_fail():
    piece = replace(REFUSED, reads=POLICY.most_reads)
    assert read(piece, Unread("HTTP 500", 500)).outcome is Outcome.UNCONFIRMED
    assert isinstance(read(piece, Unread("HTTP 404", 404, outage=True)), ReadState)
    assert read(replace(piece, reads=POLICY.patience), Unread("HTTP 404", 404, outage=True)).outcome is (
        Outcome.UNCONFIRMED
    )


@pytest.mark.parametrize(
    ("alone", "suspects", "out"), [(0, False, False), (1, True, False), (2, True, False), (3, True, True)]
)
def test_what_is_about_the_caller_is_suspected_of_references_before_it_is_put_down_to_them(alone, suspects, out):
    verdict = Unclear("HTTP 429", 429, counted=False, ended=True, alone_after=OF_THE_CALLER)
    piece = replace(FRESH, unanswered=alone + 1, alone=alone)
    assert suspected(piece, verdict) is suspects
    assert singled_out(piece, verdict) is out
    assert not suspected(piece, Unclear("HTTP 500", 500))


def test_a_result_that_is_not_cancelled_tells_that_it_was_deallocated():
    assert told_deallocated(WriteResult(Outcome.CANCELLED, 1, 200)).message is None
    assert told_deallocated(WriteResult(Outcome.FAILED, 1, 200)).message == DEALLOCATED
    assert told_deallocated(WriteResult(Outcome.REJECTED, 1, 200, "no")).message == f"{DEALLOCATED}; no"
    assert told_deallocated(CallAgain(0.0, 1, 1)).deallocated


BACK = Piece(FRESH.references, read_back=True)
TOLD = Piece(FRESH.references, named=1, unclear_until_ms=5, read_back=True, confirmed=True)


def test_one_that_is_to_be_read_back_is_read_also_where_it_is_confirmed():
    step = call(BACK, Confirmed(200, "words"))
    assert isinstance(step, ReadState)
    assert (step.confirmed, step.named, step.unclear_s > 0) == (True, 1, True)
    assert read(TOLD, Found("Cancelled", 200)) == WriteResult(Outcome.CANCELLED, 1, 200, None, "Cancelled")


@pytest.mark.parametrize(
    ("reading", "state"),
    [
        (Found("Allocated", 200), "Allocated"), (Found("Manifested", 200), "Manifested"),
        (Found("Cancelling", 200), "Cancelling"), (Found("Odd", 200), "Odd"), (Unknown(404), None),
    ],
)  # fmt: skip
def test_one_that_is_confirmed_and_not_shown_as_cancelled_is_read_again_and_then_unconfirmed(reading, state):
    again = read(TOLD, reading)
    assert isinstance(again, ReadState)
    assert (again.reads, again.delay_s > 0) == (1, True)
    ended = read(replace(TOLD, reads=POLICY.max_attempts - 1), reading)
    assert isinstance(ended, WriteResult)
    assert (ended.outcome, ended.state) == (Outcome.UNCONFIRMED, state)
    assert ended.message
    assert ended.message.startswith("the platform confirmed that it is cancelled, and then ")


def test_words_that_the_user_vouches_for_do_not_replace_the_read_of_one_that_is_to_be_read_back():
    refused = Refused(200, "cancelled before")
    assert after_known_refusal(replace(FRESH, named=1), refused, StateClass.CANCELLED.value)
    assert after_known_refusal(replace(BACK, named=1), refused, StateClass.CANCELLED.value) is None


@pytest.mark.parametrize("piece", [SENT, REFUSED, REFUSED_SENT, FRESH])
def test_what_no_call_could_have_cancelled_is_not_in_doubt_where_it_cannot_be_read(piece):
    step = read(replace(piece, reads=POLICY.patience), Unread("HTTP 500", 500))
    assert step.outcome is (Outcome.FAILED if piece is FRESH else Outcome.UNCONFIRMED)
    assert "its state could not be read" in step.message
