"""What goes wrong again and again is told of now and then, with how often it was."""

import pytest

from cancellist.worker.calls import log_throttle
from cancellist.worker.calls.log_throttle import LogThrottle


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_throttle, "monotonic", clock)
    return clock


@pytest.mark.parametrize("now_s", [0.0, 1000.0], ids=["a machine that has just started", "later"])
def test_the_first_of_a_kind_is_told_at_once(clock, now_s):
    clock.now_s = now_s
    assert LogThrottle().due("HTTP 500") == 0


def test_what_follows_soon_is_counted_and_told_with_the_next_that_is_due(clock):
    told = LogThrottle()
    told.due("HTTP 500")
    clock.now_s += log_throttle.EVERY_S / 2
    assert [told.due("HTTP 500") for _ in range(3)] == [None, None, None]
    clock.now_s += log_throttle.EVERY_S / 2
    assert told.due("HTTP 500") == 3
    assert told.due("HTTP 500") is None
    clock.now_s += log_throttle.EVERY_S
    assert told.due("HTTP 500") == 1


def test_one_kind_hides_no_other(clock):
    told = LogThrottle()
    assert [told.due(("calls", 500)), told.due(("reads", 500)), told.due(("calls", 500))] == [0, 0, None]


def test_a_thousand_kinds_are_each_told_of_and_take_no_room_for_ever(clock):
    told = LogThrottle()
    assert [told.due(kind) for kind in range(1_000)] == [0] * 1_000
    assert len(told._told) <= 100
