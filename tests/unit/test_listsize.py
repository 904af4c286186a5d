from jobs.listsize import ListSize, ListSizePolicy, move
from jobs.samples import Counters, Sample, Sized, bucket

POLICY = ListSizePolicy()


def step(state, cost_ms, *, bound=100, calls=50):
    """Calls of the size in force, and one of the size to explore; `cost_ms`: of a list by its length."""
    counts = Counters()
    size = state.size or bound
    for length, n in ((size, calls), (state.explore, 1)):
        for _ in range(n if length else 0):
            counts = counts.accept(cost_ms(length), length)
    return move(state, Sample(1_000, 750, 4, counts), POLICY, bound)


def settle(state, cost_ms, rounds=400, **options):
    for _ in range(rounds):
        state = step(state, cost_ms, **options)
    return state


def test_it_begins_with_as_many_as_may_be():
    assert step(ListSize(), lambda n: 10 + n).size == 100


def test_lists_stay_long_where_long_ones_pay():
    assert settle(ListSize(), lambda n: 50 + n).size == 100


def test_lists_get_shorter_where_time_grows_more_than_in_proportion():
    assert settle(ListSize(), lambda n: 20 + n * n / 10).size in {12, 25}


def test_lists_get_longer_again_where_that_has_ended():
    short = settle(ListSize(), lambda n: 20 + n * n / 10)
    assert settle(short, lambda n: 20 + n).size == 100


def test_a_bound_that_was_lowered_holds_at_once_and_growth_follows_when_it_is_raised():
    bound = step(ListSize(size=100), lambda n: 10 + n, bound=25)
    assert bound.size == 25
    assert settle(bound, lambda n: 10 + n, bound=25).size == 25
    assert settle(bound, lambda n: 50 + n, bound=100).size == 100


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
    assert move(ListSize(), Sample(1_000, 750, 4, counts), POLICY, 100).size == 50
