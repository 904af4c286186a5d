from dataclasses import replace

import pytest

from cancellist.jobs.flow import batch_size
from cancellist.jobs.flow.batch_size import ListSize, ListSizePolicy, TriedBatch, listed
from cancellist.jobs.flow.counters import Counters, Sized, bucket
from cancellist.jobs.flow.sample import FlowSample
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure

POLICY = ListSizePolicy()


def answered(*lists):
    """Lists that were accepted; each: how many, of how many references, in how many ms."""
    sizes = {bucket(length): Sized(n, n * length, n * ms) for n, length, ms in lists if n}
    return Counters(accepted=sum(n for n, _, _ in lists), sizes=sizes)


def step(state, cost_ms, *, bound=100, calls=50):
    """Calls of the size in force, and one of the size to explore; `cost_ms`: of a list by its length."""
    size = state.size or bound
    lists = [(n, length, cost_ms(length)) for length, n in ((size, calls), (state.explore, 1)) if length]
    return batch_size.step(state, FlowSample(1_000, 750, 4, answered(*lists)), POLICY, bound)


def settle(state, cost_ms, rounds=400, **options):
    for _ in range(rounds):
        state = step(state, cost_ms, **options)
    return state


def test_lists_begin_at_the_longest_allowed():
    assert step(ListSize(), lambda n: 10 + n).in_force == 100


def test_lists_stay_long_where_long_ones_pay():
    assert settle(ListSize(), lambda n: 50 + n).in_force == 100


def test_lists_get_shorter_where_time_grows_more_than_in_proportion():
    assert settle(ListSize(), lambda n: 20 + n * n / 10).size in {12, 25}


def test_lists_get_longer_again_where_that_has_ended():
    short = settle(ListSize(), lambda n: 20 + n * n / 10)
    assert settle(short, lambda n: 20 + n).in_force == 100


def test_a_bound_holds_at_once_when_it_is_lowered_and_when_it_is_raised():
    lowered = settle(ListSize(), lambda n: 10 + n, bound=25)
    assert (lowered.size, lowered.in_force) == (0, 25)
    assert step(lowered, lambda n: 10 + n, bound=100).in_force == 100


def test_a_size_that_was_found_stays_when_the_bound_is_raised():
    found = settle(ListSize(), lambda n: 20 + n * n / 10)
    assert step(found, lambda n: 20 + n * n / 10, bound=200).in_force == found.size < 100


def test_looks_are_rare_where_lists_are_fast_and_each_is_asked_for_once():
    state, calls = ListSize(), 0
    for _ in range(100):
        state = step(state, lambda n: 50 + n)
        calls += 50
    assert 1 <= state.explorations <= calls / POLICY.explore_every


def test_slow_lists_are_worth_more_looks():
    fast, slow = settle(ListSize(), lambda n: 50 + n, 40), settle(ListSize(), lambda n: 500 + 10 * n, 40)
    assert slow.explorations > 2 * fast.explorations


def test_a_list_of_one_has_no_shorter_one():
    assert settle(ListSize(size=1), lambda n: 10.0 * n * n, bound=1).explore == 0


def test_shorter_lists_as_they_happen_tell_as_much():
    counts = Counters(sizes={bucket(100): Sized(50, 5000, 50 * 400.0), bucket(50): Sized(20, 1000, 20 * 100.0)})
    assert batch_size.step(ListSize(), FlowSample(1_000, 750, 4, counts), POLICY, 100).size == 50


def test_lists_that_are_never_answered_in_time_get_shorter_until_one_is():
    state = ListSize()
    for n in range(1, 6):
        state = batch_size.step(state, FlowSample(1_000 * n, 0, 4, Counters(timed_out=1)), POLICY, 100)
    assert (state.in_force, state.explore) == (100, 12)
    late = replace(answered((1, 12, 20_000.0)), timed_out=2)
    assert batch_size.step(state, FlowSample(9_000, 0, 4, late), POLICY, 100).size == 12


def test_a_size_that_was_once_answered_is_not_given_up_for_timeouts():
    state = step(ListSize(), lambda n: 50 + n)
    for n in range(1, 20):
        state = batch_size.step(state, FlowSample(1_000 * n, 0, 4, Counters(timed_out=5)), POLICY, 100)
    assert (state.in_force, state.explore) == (100, 0)


def shortened(timeouts=16):
    """Lists of one, after a platform that hung when it was first used."""
    state = batch_size.step(ListSize(), FlowSample(1_000, 750, 16, Counters(timed_out=timeouts)), POLICY, 100)
    return batch_size.step(state, FlowSample(2_000, 1_750, 1, answered((1, state.explore, 20.0))), POLICY, 100)


def test_what_an_outage_has_shortened_is_doubled_with_each_longer_list_that_is_answered():
    state, rounds = shortened(), 0
    assert state.in_force == 1
    while state.in_force < 100 and rounds < 16:
        state, rounds = step(state, lambda n: 20 + n, calls=4), rounds + 1
    assert (state.in_force, state.size) == (100, 0)


def test_a_length_that_times_out_again_ends_the_doubling():
    state, asked = shortened(), []
    for n in range(400):
        explored = 0 < state.explore < 30
        counts = answered((4, state.in_force, 20.0), (explored, state.explore, 20.0))
        if state.explore and not explored:
            counts = replace(counts, timed_out=1)
            asked.append(state.explorations)
        state = batch_size.step(state, FlowSample(3_000 + n, 2_750 + n, 4, counts), POLICY, 100)
    assert (state.in_force, state.pace) == (16, 0)
    assert 400 * 4 / POLICY.explore_every <= len(set(asked)) <= 20


def test_longer_lists_that_cost_more_end_the_doubling():
    state = settle(shortened(), lambda n: 20 + n * n / 10, calls=4)
    assert state.in_force in {8, 12, 16, 25}
    assert state.pace == 0


def test_a_list_that_was_asked_for_and_never_answered_is_asked_for_again():
    state = ListSize(size=25)
    for n in range(40):
        counts = Counters(sizes={bucket(25): Sized(20, 500, 20 * 50.0)})
        state = batch_size.step(state, FlowSample(1_000 + n, 750 + n, 4, counts), POLICY, 100)
    assert state.explorations >= 3


def test_a_sample_in_which_nothing_ended_changes_nothing():
    state = shortened()
    assert batch_size.step(state, FlowSample(3_000, 2_000, 4, Counters()), POLICY, 100) == state


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, []), TriedBatch(2, taken=True)),
        (Answer(201, []), TriedBatch(2, taken=True)),
        (Answer(413, UNREADABLE), TriedBatch(2, taken=False)),
        (Answer(413, {"statusCode": 413, "message": "Payload too large"}), TriedBatch(2, taken=False)),
        (Answer(400, {"Code": "x", "Message": "no"}), None),
        (Answer(202, []), None),
        (Answer(500), None),
        (Failure("reset", written=True), None),
    ],
)
def test_only_a_confirming_answer_and_a_413_say_whether_a_list_was_too_long(answer, told):
    assert listed(2, answer) == told


def test_one_reference_is_never_too_many():
    assert listed(1, Answer(413)) is None
    assert listed(1, Answer(200)) == TriedBatch(1, taken=True)
