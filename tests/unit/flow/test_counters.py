import pytest

from cancellist.jobs.flow.counters import Counters, Sized, Timed, bucket
from cancellist.jobs.flow.sample import sample


def test_counting_an_attempt_of_each_kind():
    counters = (
        Counters()
        .accept(100.0, 50, full=True)
        .accept()
        .refuse("HTTP 429", told=True)
        .refuse("HTTP 503", overload=True)
        .time_out("no answer")
        .fail("reset")
        .deny("HTTP 401")
        .probe(passed=False)
        .probe(passed=True)
    )
    assert counters.tally == (2, 2, 1, 1, 1, 1, 1, 1)
    assert counters.run == 3
    assert counters.full == Timed(1, 100.0, 10_000.0)
    assert counters.sizes == {bucket(50): Sized(1, 50, 100.0)}
    assert counters.why == "HTTP 401"
    assert counters.accept().run == 0


def test_words_are_cut_short():
    assert len(Counters().fail("x" * 500).why) == 120


def test_the_halves_of_a_list_size_have_a_bucket_each():
    sizes = [1, 3, 6, 12, 25, 50, 100, 200]
    assert len({bucket(size) for size in sizes}) == len(sizes)


def test_a_sample_is_what_came_since():
    before = Counters().accept(10.0, 5, full=True)
    now = before.accept(30.0, 5, full=True).refuse("HTTP 429")
    got = sample({"a": now}, {"a": before}, 3, 1_000, 1_250)
    assert (got.counts.accepted, got.counts.refused, got.in_flight, got.span_ms) == (1, 1, 3, 250)
    assert got.counts.full == Timed(1, 30.0, 900.0)
    assert got.counts.sizes == {bucket(5): Sized(1, 5, 30.0)}


def test_a_drain_that_has_gone_counts_for_nothing_and_a_new_one_for_all_it_has():
    gone, new = Counters().accept().accept(), Counters().accept()
    assert sample({"b": new}, {"a": gone}, 0, 0, 1).counts.accepted == 1


def test_a_drain_that_began_anew_under_its_name_counts_from_nothing():
    assert sample({"a": Counters().accept()}, {"a": Counters().accept().accept()}, 0, 0, 1).counts.accepted == 1


def test_a_reading_twice_changes_nothing():
    counters = Counters().accept(10.0, 5).fail("reset")
    got = sample({"a": counters}, {"a": counters}, 0, 0, 1).counts
    assert got.tally == (0,) * 8
    assert got.why == ""
    assert got.run == 1


@pytest.mark.parametrize("document", [None, [], [1, 2], "words", {"a": 1}, [0] * 12, [*[0] * 9, [0], [], ""]])
def test_what_are_no_counters_is_said(document):
    with pytest.raises(ValueError, match="no counters"):
        Counters.unpack(document)
