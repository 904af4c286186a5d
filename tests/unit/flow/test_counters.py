"""What a drain counts of its attempts, and what came between two readings."""

import pytest

from cancellist.jobs.flow.counters import Counters, Sized, Tally, Timed, bucket
from cancellist.jobs.flow.sample import sample
from cancellist.jobs.flow.signals import AttemptSignal, Signal

FULL = {"references": 100, "size": 100}


def counted(*signals):
    tally = Tally()
    for signal in signals:
        tally.add(AttemptSignal(signal, 5.0))
    return tally.counters()


def test_attempts_are_counted_by_their_sign_and_runs_end_with_one_that_is_accepted():
    tally = Tally()
    for sign in (Signal.FAILED, Signal.TIMED_OUT, Signal.FAILED):
        tally.add(AttemptSignal(sign, 5.0, why="reset"))
    counters = tally.counters()
    assert (counters.failed, counters.timed_out, counters.run, counters.why) == (2, 1, 3, "reset")
    tally.add(AttemptSignal(Signal.ACCEPTED, 5.0))
    assert (tally.counters().accepted, tally.counters().run) == (1, 0)


def test_a_429_is_no_failure_in_a_row_and_a_503_is():
    tally = Tally()
    tally.add(AttemptSignal(Signal.REFUSED, 5.0, with_retry_after=True))
    tally.add(AttemptSignal(Signal.REFUSED, 5.0, overload=True))
    counters = tally.counters()
    assert (counters.refused, counters.with_retry_after, counters.run) == (2, 1, 1)


def test_only_full_lists_are_timed_as_such_and_all_lists_by_their_length():
    tally = Tally()
    tally.add(AttemptSignal(Signal.ACCEPTED, 50.0), references=100, size=100)
    tally.add(AttemptSignal(Signal.ACCEPTED, 30.0), references=20, size=100)
    tally.add(AttemptSignal(Signal.ACCEPTED, 70.0), references=200, size=100)
    tally.add(AttemptSignal(Signal.ACCEPTED, 5.0), kind="reads", references=1, size=1)
    counters = tally.counters()
    assert counters.full == Timed(1, 50.0, 2_500.0)
    assert counters.sizes == {bucket(n): Sized(1, n, ms) for n, ms in ((100, 50.0), (20, 30.0), (200, 70.0))}


def test_a_list_that_was_too_long_is_accepted_and_tells_nothing_of_what_a_list_takes():
    tally = Tally()
    tally.add(AttemptSignal(Signal.ACCEPTED, 2.0), **FULL, timed=False)
    counters = tally.counters()
    assert (counters.accepted, counters.full.n, counters.sizes) == (1, 0, {})


def test_probes_are_counted_by_how_they_ended():
    tally = Tally()
    tally.add(AttemptSignal(Signal.DENIED, 5.0), probe=True)
    tally.add(AttemptSignal(Signal.ACCEPTED, 5.0), probe=True)
    counters = tally.counters()
    assert (counters.probes_failed, counters.probes_passed, counters.denied) == (1, 1, 1)


def test_a_denial_is_told_whatever_else_went_wrong_before_it_was_shared():
    tally = Tally()
    tally.add(AttemptSignal(Signal.DENIED, 5.0, why="HTTP 401"))
    tally.add(AttemptSignal(Signal.FAILED, 5.0, why="HTTP 500"))
    assert tally.counters().why == "HTTP 401"
    tally.shared()
    tally.add(AttemptSignal(Signal.FAILED, 5.0, why="HTTP 502"))
    assert tally.counters().why == "HTTP 502"


def test_a_denial_that_could_not_be_shared_is_told_with_what_goes_wrong_next():
    tally = Tally()
    tally.add(AttemptSignal(Signal.DENIED, 5.0, why="HTTP 401"))
    tally.counters()  # for a server that is away
    tally.add(AttemptSignal(Signal.FAILED, 5.0, why="HTTP 500"))
    assert tally.counters().why == "HTTP 401"


def test_the_halves_of_a_list_size_have_a_bucket_each():
    sizes = [1, 3, 6, 12, 25, 50, 100, 200]
    assert len({bucket(size) for size in sizes}) == len(sizes)


def test_a_sample_is_what_came_since():
    tally = Tally()
    tally.add(AttemptSignal(Signal.ACCEPTED, 10.0), **FULL)
    before = tally.counters()
    tally.add(AttemptSignal(Signal.ACCEPTED, 30.0), **FULL)
    tally.add(AttemptSignal(Signal.REFUSED, 5.0))
    got = sample({"a": tally.counters()}, {"a": before}, 3, 1_000, 1_250)
    assert (got.counts.accepted, got.counts.refused, got.in_flight, got.span_ms) == (1, 1, 3, 250)
    assert got.counts.full == Timed(1, 30.0, 900.0)
    assert got.counts.sizes == {bucket(100): Sized(1, 100, 30.0)}


def test_a_drain_that_has_gone_counts_for_nothing_and_a_new_one_for_all_it_has():
    gone, new = Counters(accepted=2), Counters(accepted=1)
    assert sample({"b": new}, {"a": gone}, 0, 0, 1).counts.accepted == 1


def test_a_drain_that_began_anew_under_its_name_counts_from_nothing():
    assert sample({"a": Counters(accepted=1)}, {"a": Counters(accepted=2)}, 0, 0, 1).counts.accepted == 1


def test_a_reading_twice_changes_nothing():
    counters = counted(Signal.ACCEPTED, Signal.FAILED)
    got = sample({"a": counters}, {"a": counters}, 0, 0, 1).counts
    assert got.tally == (0,) * 8
    assert got.why == ""
    assert got.run == 1


@pytest.mark.parametrize("document", [None, [], [1, 2], "words", {"a": 1}, [0] * 12, [*[0] * 9, [0], [], ""]])
def test_counters_that_cannot_be_read_are_an_error(document):
    with pytest.raises(ValueError, match="no counters"):
        Counters.unpack(document)
