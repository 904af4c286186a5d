"""What a drain asks for, by what it has and what the ledger has told of slots."""

from dataclasses import replace

from cancellist.jobs.ledger.claims import Ask, Claim, Terms, Wait
from cancellist.worker.drain.claim_planner import ClaimPlanner

TERMS = Terms(limit=8)


def told(terms=TERMS, *, slots=4, why="empty", limit=8, give=0):
    """A demand that has heard one answer."""
    demand = ClaimPlanner(terms)
    demand.learn(Ask("c1", "d1", "any", slots, terms), Wait(-1, why, 0, limit, give=give), 0)
    return demand


def a_claim(score):
    return Claim("c9", "reads", (), False, score, 0, 0, 0, False, 1, 0, 4)


def wanted(demand, lanes, staged=0, asking=0, *, settling=False):
    return demand.wanted(lanes, staged, asking, settling=settling)


def test_a_drain_with_nothing_under_way_leaves_where_there_is_nothing():
    assert wanted(told(), 0) == "leave"
    assert {wanted(told(), 0, 1), wanted(told(), 0, 0, 1), wanted(told(), 0, settling=True)} == {"slot"}


def test_each_lane_wants_one_staged_claim_and_then_more_lanes_up_to_the_limit():
    assert [wanted(told(), 4, staged) for staged in (0, 3, 4)] == ["any", "any", "slot"]
    assert wanted(told(limit=4), 4, 4) is None


def test_nothing_is_staged_under_a_rate():
    demand = told(replace(TERMS, interval_us=1000))
    assert [wanted(demand, 4), demand.wanted_with_a_settle(4, 0)] == ["slot", "slot"]


def overtaken(answer, *, mode="any", asked_after=1):
    """Whether something may go before all that is staged, still, after an answer."""
    demand = told(limit=4)
    demand.overtakings += 1
    assert demand.overtaken
    demand.learn(Ask("c2", "d1", mode, 4, TERMS), answer, asked_after)
    return demand.overtaken


def test_what_goes_before_all_that_is_staged_is_looked_for_until_the_ledger_has_no_more_of_it():
    assert not overtaken(Wait(-1, "empty", 0, 4))
    assert not overtaken(a_claim(1.5e14))
    assert overtaken(a_claim(1e13))  # behind an urgent one there may be more
    assert overtaken(Wait(15, "empty", 0, 4))  # it lingers


def test_a_slot_that_is_not_to_be_had_says_nothing_of_what_goes_first():
    assert overtaken(Wait(50, "limit", 0, 4))
    assert overtaken(Wait(-1, "empty", 0, 4), mode="slot")


def test_an_answer_to_what_was_asked_for_earlier_says_nothing_of_what_has_come_since():
    assert overtaken(a_claim(1.5e14), asked_after=0)


def test_a_drain_that_is_to_give_slots_back_asks_for_no_more_of_them():
    demand = told(slots=4, give=1)
    assert wanted(demand, 3, 3) is None
    assert [demand.wanted_with_a_settle(3, staged) for staged in (2, 3)] == ["staged", None]
    assert told(slots=4, give=4).wanted_with_a_settle(2, 0) == "slot"


def test_no_more_is_asked_for_at_once_than_is_missing_and_one_where_the_limit_is_reached():
    assert [told().requests("slot", lanes, 0) for lanes in (1, 6, 8)] == [4, 2, 1]
    assert told().requests("any", 6, 3) == 3
    assert told(why="limit").requests("slot", 1, 0) == 1
