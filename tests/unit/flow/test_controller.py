import json
from dataclasses import fields, replace

import pytest

from cancellist.jobs.flow import controller
from cancellist.jobs.flow.circuit_breaker import Mode
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy, ConcurrencyState
from cancellist.jobs.flow.controller import FlowPolicy, FlowState, due_ms, probe_now
from cancellist.jobs.flow.counters import Counters, Tally
from cancellist.jobs.flow.events import changes
from cancellist.jobs.flow.latency import RoundTrips
from cancellist.jobs.flow.rate.state import Pacing
from cancellist.jobs.flow.signals import AttemptSignal, Signal

POLICY = FlowPolicy(ceiling=32)
T0 = 1_795_456_800_000


def busy(calls, *, took_ms=100.0, sizes=(100,)):
    """So many calls of each size."""
    tally = Tally()
    for size in sizes:
        for _ in range(calls):
            tally.add(AttemptSignal(Signal.ACCEPTED, took_ms), references=size, size=size)
    return tally.counters()


def begun(**drains):
    return controller.step(None, drains, 16, POLICY, T0, 0.5)


def test_it_begins_at_sixteen_or_the_ceiling_without_a_rate_and_with_full_lists():
    state = begun()
    assert (state.limit, state.interval_us, state.list_size, state.breaker.mode) == (16, 0, None, Mode.CLOSED)
    assert controller.step(None, {}, 0, FlowPolicy(4), T0, 0.5).limit == 4


def test_a_limit_that_nobody_has_moved_for_a_minute_is_unknown():
    state = replace(begun(), limiter=replace(begun().limiter, limit=2.0, refused_at=3))
    assert controller.step(state, {}, 0, POLICY, T0 + 59_000, 0.5).limit == 2
    stale = controller.step(state, {}, 0, POLICY, T0 + 61_000, 0.5)
    assert (stale.limit, stale.limiter.refused_at) == (16, 0)


def test_how_long_a_limit_is_known_is_a_setting():
    policy = replace(POLICY, limiter=ConcurrencyPolicy(stale_ms=300_000))
    state = replace(begun(), limiter=replace(begun().limiter, limit=2.0, refused_at=3))
    assert [controller.step(state, {}, 0, policy, T0 + silent_ms, 0.5).limit for silent_ms in (299_000, 301_000)] == [
        2,
        16,
    ]


BURST = ((0, 16, 0), (250, 4, 12), (300, 0, 8), (310, 0, 8))


@pytest.mark.parametrize("late", [(), (1, 0), (0, 1), (1, 1)], ids=str)
@pytest.mark.parametrize(("told", "limit"), [(True, 4), (False, 1)])
def test_a_first_overload_leaves_a_quarter_of_the_limit_where_it_may_be_a_rate(told, limit, late):
    """Whatever comes late: calls that were accepted before, or refused without a Retry-After."""
    tally, state = Tally(), None
    for at_ms, accepted, refused in BURST + ((320, *late),) * bool(late):
        for _ in range(accepted):
            tally.add(AttemptSignal(Signal.ACCEPTED, 80.0), references=10, size=10)
        for _ in range(refused):
            with_retry_after = told and at_ms <= 310
            tally.add(AttemptSignal(Signal.REFUSED, 5.0, with_retry_after=with_retry_after), references=10, size=10)
        state = controller.step(state, {"a": tally.counters()}, 16, POLICY, T0 + at_ms, 0.5)
    assert int(state.limit) == limit


def test_what_was_refused_long_ago_does_not_raise_a_limit():
    low = replace(begun().limiter, limit=2.0, limit_before_decreases=100.0, raised_ms=1)
    tally = Tally()
    tally.add(AttemptSignal(Signal.REFUSED, 5.0, with_retry_after=True), references=10, size=10)
    state = controller.step(replace(begun(), limiter=low), {"a": tally.counters()}, 2, POLICY, T0 + 250, 0.5)
    assert int(state.limit) <= 2


def test_a_rate_that_nobody_has_moved_for_a_minute_is_unknown():
    state = replace(begun(), pacing=Pacing(interval_us=5_000_000))
    assert controller.step(state, {}, 0, POLICY, T0 + 59_000, 0.5).interval_us == 5_000_000
    assert controller.step(state, {}, 0, POLICY, T0 + 61_000, 0.5).interval_us == 0


def test_a_longer_list_bound_holds_at_the_next_move():
    state = controller.step(begun(), {}, 0, POLICY, T0 + 250, 0.5)
    longer = controller.step(state, {}, 0, FlowPolicy(32, max_references=200), T0 + 500, 0.5)
    assert longer.list_size is None
    assert [c.facts for c in changes(state, longer)] == [{"from": 100, "to": 200}]


def test_moves_while_no_call_ends_change_nothing_that_claims_obey():
    before = state = begun(a=busy(40))
    for n in range(1, 50):
        state = controller.step(state, {"a": busy(40)}, 20, POLICY, T0 + 1_000 * n, 0.5)
    assert (state.limit, state.interval_us, state.list_size, state.explore) == (before.limit, 0, None, None)


def test_a_lowered_ceiling_holds_at_the_next_move():
    assert controller.step(begun(), {}, 16, FlowPolicy(3), T0 + 250, 0.5).limit == 3


def test_a_lowered_list_bound_holds_at_the_next_move():
    assert controller.step(begun(), {}, 0, POLICY, T0 + 250, 0.5, list_bound=50).lists.in_force == 50


def test_calls_of_all_drains_count_and_each_once():
    drains = {"a": busy(40), "b": busy(40)}
    state = begun(**drains)
    first = controller.step(state, drains, 16, POLICY, T0 + 250, 0.5)
    assert first.limit == state.limit + 1 or first.limit >= state.limit
    assert first.limiter.credit == state.limiter.credit == 80
    assert controller.step(first, {"b": busy(41)}, 16, POLICY, T0 + 500, 0.5).limiter.credit == 81


def test_while_the_breaker_is_open_the_limit_stays_as_it_was():
    state = begun()
    opened = controller.step(state, {"a": Counters(denied=1, why="HTTP 401")}, 16, POLICY, T0 + 250, 0.5)
    assert opened.breaker.mode is Mode.OPEN
    later = controller.step(opened, {"a": Counters(denied=1, refused=1, why="HTTP 401")}, 16, POLICY, T0 + 300, 0.5)
    assert later.limit == state.limit


def test_a_probe_is_due_when_the_breaker_says_so_or_a_person():
    opened = controller.step(begun(), {"a": Counters(denied=1, why="HTTP 401")}, 16, POLICY, T0 + 250, 0.5)
    assert due_ms(opened, T0 + 250) == opened.breaker.next_probe_ms - T0 - 250
    assert due_ms(probe_now(opened, T0 + 300), T0 + 300) == 0
    assert due_ms(begun(), T0) is None


def test_changes_are_told_once_with_the_reason_and_what_to_do():
    before = begun()
    opened = controller.step(before, {"a": Counters(denied=1, why="HTTP 401")}, 16, POLICY, T0 + 250, 0.5)
    [change] = changes(before, opened)
    assert (change.event, change.grave, change.facts["why"]) == ("breaker opened", True, "HTTP 401")
    assert "CANCELLIST_API_KEY" in str(change.facts["do"])
    assert (
        changes(opened, controller.step(opened, {"a": Counters(denied=1, why="HTTP 401")}, 0, POLICY, T0 + 300, 0.5))
        == ()
    )
    counters = Counters(denied=1, accepted=1, probes_passed=1, why="HTTP 401")
    closed = controller.step(opened, {"a": counters}, 1, POLICY, T0 + 2_000, 0.5)
    assert [change.event for change in changes(opened, closed)] == ["breaker closed"]


def test_a_list_size_that_changes_is_told():
    before = begun()
    after = controller.step(before, {}, 0, POLICY, T0 + 250, 0.5, list_bound=25)
    [change] = changes(before, after)
    assert (change.event, change.facts) == ("list size changed", {"from": 100, "to": 25})


def test_a_rate_that_is_learnt_and_dropped_is_told():
    before = begun()
    after = replace(before, pacing=replace(before.pacing, interval_us=50_000))
    assert [(c.event, c.facts) for c in changes(before, after)] == [("rate learned", {"calls_per_second": 20.0})]
    assert [c.event for c in changes(after, before)] == ["rate dropped"]


def test_a_new_state_reports_no_change():
    assert changes(None, begun()) == ()


def test_a_clock_that_goes_back_does_no_harm():
    state = begun(a=busy(10))
    assert controller.step(state, {"a": busy(20)}, 16, POLICY, T0 - 5_000, 0.5).at_ms == T0


def test_it_is_small_enough_to_be_written_often():
    drains = {f"drain-{n}": busy(3, sizes=(40, 100)) for n in range(16)}
    assert len(json.dumps(begun(**drains).packed(), separators=(",", ":"))) < 3_000


@pytest.mark.parametrize("spoil", [{"v": 2}, {"memory": []}, {"memory": [[1], [2], [3], [4, 5], [6, []]]}, {"at": "x"},
                                   {"breaker": "ajar"}, {"seen": {"a": [1]}}, {"seen": 3}])  # fmt: skip
def test_a_state_that_makes_no_sense_is_none(spoil):
    document = begun(a=busy(10)).packed()
    assert FlowState.unpack(document) is not None
    assert FlowState.unpack(document | spoil) is None
    assert FlowState.unpack({}) is None


def test_a_state_of_a_version_that_keeps_more_or_less_of_each_part_is_read():
    state = begun(a=busy(10))
    document = state.packed()
    limiter, trips, paced, *others = document["memory"]
    more = [[*limiter, "x"], [*trips, None], [*paced, 1], *([*part, 1] for part in others), ["x"]]
    assert FlowState.unpack(document | {"memory": more, "added": 1}) == FlowState.unpack(document)
    less = FlowState.unpack(document | {"memory": [limiter[:1], [], [], *others]})
    assert less
    assert less.limiter == ConcurrencyState(state.limit)
    assert less.round_trips == RoundTrips()


def test_a_number_that_only_earlier_versions_read_keeps_its_place_and_is_ignored():
    document = begun(a=busy(10)).packed()
    for part, kind in enumerate((ConcurrencyState, RoundTrips, Pacing)):
        for place, field in enumerate(fields(kind)):
            if not field.init:
                memory = [list(values) for values in document["memory"]]
                assert memory[part][place] == 0
                memory[part][place] = 7
                got = FlowState.unpack(document | {"memory": memory})
                assert got
                assert got.packed() == document
