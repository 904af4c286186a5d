import json

from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.jobs.flow import controller
from cancellist.jobs.flow.circuit_breaker import Mode
from cancellist.jobs.flow.controller import FlowPolicy, FlowState, probe_now
from cancellist.jobs.flow.counters import Counters, Tally
from cancellist.jobs.flow.events import changes
from cancellist.jobs.flow.signals import AttemptSignal, Signal

EXAMPLES = settings(max_examples=150, deadline=None)
T0 = 1_795_456_800_000
words = st.text(max_size=120)
shown = st.builds(
    AttemptSignal,
    st.sampled_from(Signal),
    st.floats(0, 600_000),
    with_retry_after=st.booleans(),
    overload=st.booleans(),
    why=words,
)
attempts = st.fixed_dictionaries(
    {
        "shown": shown,
        "kind": st.sampled_from(["calls", "calls", "reads"]),
        "probe": st.booleans(),
        "references": st.integers(1, 1000),
        "size": st.sampled_from([1, 50, 100, 1000]),
        "timed": st.booleans(),
    }
)


steps = st.lists(
    st.tuples(
        st.integers(0, 100_000),  # ms since the last
        st.sampled_from("abc"),
        st.lists(attempts, max_size=12),
        st.integers(1, 30),  # how often those happened
        st.integers(-1, 80),  # calls in flight
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["", "", "", "gone", "anew", "resumed"]),
    ),
    max_size=25,
)
policies = st.builds(FlowPolicy, st.integers(1, 64), st.integers(1, 500), st.just(0))
bounds = st.one_of(st.none(), st.integers(1, 500))


@EXAMPLES
@given(policies, bounds, steps)
def test_whatever_happens_the_flow_stays_within_its_bounds_and_survives_being_packed(policy, bound, story):
    state, tallies, now_ms = None, {}, T0
    for span_ms, name, happened, times, in_flight, jitter, twist in story:
        now_ms += span_ms
        tally = Tally() if twist == "anew" else tallies.get(name, Tally())
        for _ in range(times):
            for attempt in happened:
                tally.add(**attempt)
        tallies[name] = tally
        if twist == "gone":
            del tallies[name]
        drains = {name: tally.counters() for name, tally in tallies.items()}
        if twist == "resumed" and state:
            state = probe_now(state, now_ms)
        before, state = state, controller.step(state, drains, in_flight, policy, now_ms, jitter, list_bound=bound)
        changes(before, state)
        holds(state, policy, bound, now_ms)
        state = kept(state)


def holds(state, policy, bound, now_ms):
    most = min(policy.max_references, bound or policy.max_references)
    assert 1 <= state.limit <= policy.ceiling
    assert state.interval_us >= 0
    assert 1 <= state.lists.in_force <= most
    assert state.explore is None or 1 <= state.explore <= most
    if state.breaker.mode is Mode.CLOSED:
        assert state.breaker.next_probe_ms == 0
    else:
        assert state.breaker.next_probe_ms <= now_ms + policy.breaker.denied_most_ms


def kept(state):
    """The state as it comes back from the ledger."""
    document = json.loads(json.dumps(state.packed()))
    back = FlowState.unpack(document)
    assert back is not None
    assert back.packed() == document
    assert (back.breaker, back.lists.size, back.explorations) == (state.breaker, state.lists.size, state.explorations)
    return back


@EXAMPLES
@given(st.lists(attempts, max_size=40))
def test_counters_survive_being_packed_and_what_came_is_what_was_added(happened):
    tally = Tally()
    before = tally.counters()
    for n, attempt in enumerate(happened):
        if n == len(happened) // 2:
            before = tally.counters()
        tally.add(**attempt)
    counters = tally.counters()
    packed = json.loads(json.dumps(counters.packed()))
    assert Counters.unpack(packed).packed() == packed
    came = counters.since(before)
    assert tuple(a + b for a, b in zip(before.tally, came.tally, strict=True)) == counters.tally


names = st.sampled_from(["v", "at", "memory", "seen", "breaker"])
documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names, inner, max_size=5),
)


@EXAMPLES
@given(documents)
def test_whatever_is_stored_a_state_is_made_of_it_or_none(document):
    stored = document if isinstance(document, dict) else {"v": 1, "memory": document}
    got = FlowState.unpack(stored)
    assert got is None or isinstance(got, FlowState)
