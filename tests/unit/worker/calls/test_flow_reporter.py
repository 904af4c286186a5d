"""What a drain counts of its attempts, as it is shared."""

from cancellist.jobs.flow.counters import bucket
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from cancellist.jobs.ledger.claims import Claim, Part
from cancellist.jobs.model import Piece
from cancellist.worker.calls.flow_reporter import Tally


def claim(count=1, *, size=100, kind="calls", probe=False):
    piece = Piece(tuple(f"EC-000-000-{n:03d}" for n in range(count)))
    return Claim("c1", kind, (Part("j1", piece),), True, 1e14, 0, 0, 0, probe, size, 0, 8)


def test_attempts_are_counted_by_their_sign_and_runs_end_with_one_that_is_accepted():
    tally = Tally()
    for sign in (Signal.FAILED, Signal.TIMED_OUT, Signal.FAILED):
        tally.add(claim(), AttemptSignal(sign, 5.0, why="reset"))
    counters = tally.counters()
    assert (counters.failed, counters.timed_out, counters.run, counters.why) == (2, 1, 3, "reset")
    tally.add(claim(), AttemptSignal(Signal.ACCEPTED, 5.0))
    assert (tally.counters().accepted, tally.counters().run) == (1, 0)


def test_a_429_is_no_failure_in_a_row_and_a_503_is():
    tally = Tally()
    tally.add(claim(), AttemptSignal(Signal.REFUSED, 5.0, told=True))
    tally.add(claim(), AttemptSignal(Signal.REFUSED, 5.0, overload=True))
    counters = tally.counters()
    assert (counters.refused, counters.told, counters.run) == (2, 1, 1)


def test_only_full_lists_are_timed_as_such_and_all_lists_by_their_length():
    tally = Tally()
    tally.add(claim(100), AttemptSignal(Signal.ACCEPTED, 50.0))
    tally.add(claim(20), AttemptSignal(Signal.ACCEPTED, 30.0))
    tally.add(claim(1, kind="reads"), AttemptSignal(Signal.ACCEPTED, 5.0))
    counters = tally.counters()
    assert (counters.full.n, counters.full.ms) == (1, 50.0)
    assert {place: sized.n for place, sized in counters.sizes.items()} == {bucket(100): 1, bucket(20): 1}


def test_a_list_that_was_too_long_is_accepted_and_tells_nothing_of_what_a_list_takes():
    tally = Tally()
    tally.add(claim(100), AttemptSignal(Signal.ACCEPTED, 2.0), timed=False)
    counters = tally.counters()
    assert (counters.accepted, counters.full.n, counters.sizes) == (1, 0, {})


def test_probes_are_counted_by_how_they_ended():
    tally = Tally()
    tally.add(claim(probe=True), AttemptSignal(Signal.DENIED, 5.0))
    tally.add(claim(probe=True), AttemptSignal(Signal.ACCEPTED, 5.0))
    counters = tally.counters()
    assert (counters.probes_failed, counters.probes_passed, counters.denied) == (1, 1, 1)


def test_a_denial_is_told_whatever_else_went_wrong_before_it_was_shared():
    tally = Tally()
    tally.add(claim(), AttemptSignal(Signal.DENIED, 5.0, why="HTTP 401"))
    tally.add(claim(), AttemptSignal(Signal.FAILED, 5.0, why="HTTP 500"))
    assert tally.counters().why == "HTTP 401"
    tally.told()
    tally.add(claim(), AttemptSignal(Signal.FAILED, 5.0, why="HTTP 502"))
    assert tally.counters().why == "HTTP 502"


def test_a_denial_that_could_not_be_shared_is_told_with_what_goes_wrong_next():
    tally = Tally()
    tally.add(claim(), AttemptSignal(Signal.DENIED, 5.0, why="HTTP 401"))
    tally.counters()  # for a server that is away
    tally.add(claim(), AttemptSignal(Signal.FAILED, 5.0, why="HTTP 500"))
    assert tally.counters().why == "HTTP 401"
