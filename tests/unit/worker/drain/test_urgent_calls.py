"""Which lanes wait for what an urgent call leaves, and for how long."""

import asyncio
from time import monotonic

import pytest

from cancellist.jobs.ledger.claims import Claim
from cancellist.worker.drain.urgent_calls import UrgentCalls


def a_claim(id_="u1", score=1e13, kind="calls"):
    return Claim(id_, kind, (), True, score, 0, 0, 0, False, 100, 0, 8)


class Lane:
    """A lane whose call took a second, and which waits to start what is staged."""

    def __init__(self, *, overtaken=False, began_at=None):
        self.overtaken = overtaken
        self.urgent_first = False
        self.urgency = UrgentCalls(lambda: self.overtaken)
        self.began_at = monotonic() - 1 if began_at is None else began_at

    def waits(self):
        return asyncio.create_task(self.urgency.in_order(self.began_at, lambda: self.urgent_first))

    async def waited_s(self):
        began = monotonic()
        await self.waits()
        return monotonic() - began


async def pending(task):
    """Whether a lane waits on, when it has had its turn."""
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_a_lane_goes_on_at_once_where_nothing_is_urgent():
    lane = Lane()
    lane.urgency.hear(0)
    lane.urgency.begin(a_claim("c1", score=1e14))
    assert not await pending(lane.waits())


@pytest.mark.parametrize("own", [True, False])
async def test_a_lane_waits_a_little_for_an_urgent_call_that_may_end_with_its_own(own):
    lane = Lane()
    if own:
        lane.urgency.hold(a_claim())
        lane.urgency.begin(a_claim())
        lane.began_at = monotonic() - 0.04
    lane.urgency.hear(1)
    waits = lane.waits()
    assert await pending(waits)
    await asyncio.wait_for(waits, 5)


async def test_the_wait_for_another_drains_urgent_call_is_a_share_of_the_calls_time():
    lane = Lane(began_at=monotonic() - 0.02)
    lane.urgency.hear(1)
    short_s = await lane.waited_s()
    lane.began_at = monotonic() - 20
    assert short_s < await lane.waited_s()


async def test_an_urgent_call_of_this_drain_that_began_at_another_time_is_not_waited_for():
    lane = Lane()
    lane.urgency.hold(a_claim())
    lane.urgency.begin(a_claim())
    lane.urgency.hear(1)
    assert not await pending(lane.waits())


async def test_no_lane_waits_for_an_urgent_read():
    lane = Lane()
    lane.urgency.hold(a_claim(kind="reads"))
    lane.urgency.begin(a_claim(kind="reads"))
    lane.began_at = monotonic() - 0.04
    lane.urgency.hear(0)
    assert not await pending(lane.waits())
    lane.urgency.hear(1)
    assert await pending(lane.waits())  # a call of another drain: the read is not that


async def test_a_lane_waits_until_what_an_urgent_call_has_left_is_settled_and_then_asks_for_it():
    lane = Lane()
    lane.urgency.hold(a_claim())
    lane.urgency.begin(a_claim())
    lane.urgency.end(a_claim(), left=True)
    waits = lane.waits()
    assert await pending(waits)
    lane.overtaken = True
    lane.urgency.drop(["u1"])
    assert not await pending(waits)
    assert not await waits


async def test_a_lane_that_waits_asks_the_ledger_as_soon_as_something_is_said_to_go_first():
    lane = Lane()
    lane.urgency.hear(1)
    waits = lane.waits()
    assert await pending(waits)
    lane.overtaken = True
    lane.urgency.look()
    assert not await pending(waits)
    assert not await waits


async def test_an_urgent_call_that_leaves_nothing_is_waited_for_no_longer():
    lane = Lane()
    lane.urgency.hold(a_claim())
    lane.urgency.begin(a_claim())
    lane.began_at = monotonic() - 0.04
    waits = lane.waits()
    assert await pending(waits)
    lane.urgency.end(a_claim(), left=False)
    assert not await pending(waits)


async def test_a_lane_starts_an_urgent_claim_that_is_staged_whatever_is_under_way():
    lane = Lane(overtaken=True)
    lane.urgent_first = True
    lane.urgency.hear(1)
    assert await lane.urgency.in_order(lane.began_at, lambda: lane.urgent_first)


async def test_one_urgent_claim_that_is_staged_lets_one_lane_go_on():
    lane = Lane()
    lane.urgency.hear(1)
    started = []

    async def go_on(name):
        assert await lane.urgency.in_order(lane.began_at, lambda: lane.urgent_first)
        lane.urgent_first = False
        started.append(name)

    lanes = [asyncio.create_task(go_on(name)) for name in "abc"]
    assert await pending(lanes[0])
    lane.urgent_first = True
    lane.urgency.look()
    assert await pending(lanes[1])
    assert len(started) == 1
    await asyncio.gather(*lanes)


async def test_a_ledger_that_does_not_answer_is_not_waited_for_long():
    lane = Lane()
    lane.urgency.begin(a_claim())
    lane.urgency.end(a_claim(), left=True)
    assert await asyncio.wait_for(lane.waits(), 5)
