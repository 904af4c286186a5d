"""Sessions end where they are not used, and a caller has so many, none of which costs another caller one of theirs."""

from cancellist.api.auth import Caller
from cancellist.api.monitor.sessions import IDLE_S, MOST_OF_ONE, Sessions
from cancellist.jobs.access import ALL, Access

CALLER = Caller("anna", ALL)
OTHERS = [Caller("bob", ALL), Caller("anna", frozenset({Access.READ}))]


def caller(held: Sessions, secret: str, now_s: float) -> Caller | None:
    found = held.find(secret, now_s)
    return found.caller if found else None


def test_a_session_ends_where_it_was_not_used_for_long():
    held = Sessions()
    secret = held.begin(CALLER, 0)
    found = held.find(secret, IDLE_S)
    assert found
    assert caller(held, secret, 2 * IDLE_S) == CALLER
    assert found.is_open(3 * IDLE_S)
    assert not found.is_open(3 * IDLE_S + 1)
    assert caller(held, secret, 3 * IDLE_S + 1) is None
    assert found.ended
    assert caller(held, secret, 3 * IDLE_S + 1) is None


def test_who_holds_a_session_learns_that_it_was_ended():
    held = Sessions()
    secret, other = held.begin(CALLER, 0), held.begin(CALLER, 0)
    found, kept = held.find(secret, 0), held.find(other, 0)
    assert found
    assert kept
    held.end(secret)
    assert (found.is_open(0), kept.is_open(0)) == (False, True)


def test_of_one_caller_the_session_not_used_for_longest_makes_room():
    held = Sessions()
    secrets = [held.begin(CALLER, n) for n in range(MOST_OF_ONE)]
    assert held.find(secrets[0], MOST_OF_ONE)
    further = held.begin(CALLER, MOST_OF_ONE)
    left = [one for one in (*secrets, further) if held.find(one, MOST_OF_ONE + 1)]
    assert left == [secrets[0], *secrets[2:], further]


def test_nobody_costs_another_a_session_however_often_they_sign_in():
    """Nor does a token of fewer roles that has the same name."""
    held = Sessions()
    secret = held.begin(CALLER, 0)
    for other in OTHERS:
        for n in range(3 * MOST_OF_ONE):
            held.begin(other, n)
    assert caller(held, secret, 1) == CALLER
    assert len(held._open) == 1 + MOST_OF_ONE * len(OTHERS)


def test_no_secret_is_held():
    held = Sessions()
    assert held.begin(CALLER, 0) not in repr(held)
