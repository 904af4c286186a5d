"""The log of events: each change once, in order; whoever is too late is told so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.api.events.event_log import EventKind, EventLog, StreamEvent
from cancellist.api.events.sampler import EventId


def document(job: str, **fields: Any) -> dict[str, Any]:
    return {"job": job, **fields}


def test_a_job_is_told_whole_then_by_what_changed_then_whole_as_it_ends() -> None:
    log = EventLog()
    log.see(document("a", done=0, state="queued"), ended=False)
    log.see(document("a", done=0, state="queued"), ended=False)
    log.see(document("a", done=3, state="queued"), ended=False)
    log.see(document("a", done=5, state="completed"), ended=True)
    assert list(log.after(0, None)) == [
        StreamEvent(1, "a", EventKind.SNAPSHOT, document("a", done=0, state="queued")),
        StreamEvent(2, "a", EventKind.CHANGE, {"job": "a", "done": 3}),
        StreamEvent(3, "a", EventKind.END, document("a", done=5, state="completed")),
    ]
    assert log.documents == {}


def test_events_that_the_log_has_dropped_are_reported_as_lost() -> None:
    log = EventLog(kept=3)
    for done in range(5):
        log.see(document("a", done=done), ended=False)
    assert [log.holds(seq) for seq in range(7)] == [False, False, True, True, True, True, False]
    assert [event.seq for event in log.after(2, None)] == [3, 4, 5]
    with pytest.raises(LookupError):
        list(log.after(1, None))


def test_numbers_go_on_where_all_is_forgotten() -> None:
    log = EventLog()
    log.see(document("a"), ended=False)
    log.see(document("a", done=1), ended=False)
    log.clear()
    assert (log.last, log.holds(1), log.holds(2), log.latest("a")) == (2, False, True, 0)
    log.see(document("a", done=1), ended=False)
    assert [(event.seq, event.kind) for event in log.after(2, "a")] == [(3, EventKind.SNAPSHOT)]


_SEEN = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 9).map(lambda n: n == 0)))


@given(seen=_SEEN, kept=st.integers(1, 8), cut=st.integers(0, 40))
def test_from_any_place_that_is_held_the_events_lead_to_how_jobs_stand(
    seen: list[tuple[str, int, bool]], kept: int, cut: int
) -> None:
    log, states = EventLog(kept), [{}]
    for job, done, ended in seen:
        before = log.last
        log.see(document(job, done=done), ended=ended)
        state = {name: value for name, value in states[-1].items() if name != job}
        states += [state if ended else state | {job: document(job, done=done)}] * (log.last - before)
    if not log.holds(cut):
        return
    standing = dict(states[cut])
    for event in log.after(cut, None):
        if event.kind is EventKind.END:
            standing.pop(event.job, None)
        else:
            standing[event.job] = {**standing.get(event.job, {}), **event.fields}
    assert standing == log.documents
    for job in "abc":
        numbers = [event.seq for event in log.after(cut, job)]
        assert numbers == [event.seq for event in log.after(cut, None) if event.job == job]
        if numbers:
            assert log.latest(job) == numbers[-1]


@pytest.mark.parametrize(
    "text", [None, "", "1", "a-b-c", "a-1", "a-1-2-3", "a-1-", "a--1-2", "a-1-٣", "a-1.5-2", "\x00"]
)
def test_an_id_that_is_none_of_ours_is_none(text: str | None) -> None:
    assert EventId.parse(text) is None


@pytest.mark.parametrize("seq", [0, 7, 10**12])
@pytest.mark.parametrize("at_ms", [0, 1_700_000_000_000])
def test_an_id_is_read_as_it_was_written(seq: int, at_ms: int) -> None:
    assert EventId.parse(str(EventId("0a1b2c3d", seq, at_ms))) == EventId("0a1b2c3d", seq, at_ms)


def test_what_does_not_change_is_held_once_however_many_remember_it() -> None:
    log, text = EventLog(), "x" * 500
    log.see({"job": "a", "reason": text, "total": 1}, ended=False)
    first = log.documents["a"]
    log.see({"job": "a", "reason": text[:250] + text[250:], "total": 1}, ended=False)
    assert log.documents["a"] is first
    log.see({"job": "a", "reason": text[:250] + text[250:], "total": 2}, ended=False)
    assert log.documents["a"]["total"] == 2
    assert log.documents["a"]["reason"] is text
