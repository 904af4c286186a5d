"""Sessions end where they are not used, and there are never more than so many."""

from cancellist.api.auth import Caller
from cancellist.api.monitor import sessions
from cancellist.api.monitor.sessions import IDLE_S, Sessions
from cancellist.jobs.access import ALL

CALLER = Caller("anna", ALL)


def test_a_session_ends_where_it_was_not_used_for_long():
    held = Sessions()
    secret = held.begin(CALLER, 0)
    assert held.caller(secret, IDLE_S) == CALLER
    assert held.caller(secret, 2 * IDLE_S) == CALLER
    assert held.caller(secret, 3 * IDLE_S + 1) is None
    assert held.caller(secret, 3 * IDLE_S + 1) is None


def test_the_one_that_was_not_used_for_longest_makes_room(monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 2)
    held = Sessions()
    first, second = held.begin(CALLER, 0), held.begin(CALLER, 0)
    assert held.caller(first, 1)
    third = held.begin(CALLER, 1)
    assert [held.caller(one, 2) for one in (first, second, third)] == [CALLER, None, CALLER]


def test_no_secret_is_held():
    held = Sessions()
    assert held.begin(CALLER, 0) not in repr(held)
