"""Settlements of guarded claims go one after the other, and wait for no server that is far."""

import asyncio
from functools import partial

from cancellist.worker.drain.settle_turns import SettleTurns
from tests.support.waiting import until


async def settled(turns: SettleTurns, name: str, log: list[str], answer: asyncio.Event, *, waits: bool = True) -> None:
    async with turns.turn(waits=waits):
        log.append(f"{name} sent")
        await answer.wait()
    log.append(f"{name} answered")


async def test_the_next_is_sent_once_the_last_is_answered() -> None:
    turns, log, answer = SettleTurns(), list[str](), asyncio.Event()
    answer.set()
    await asyncio.gather(*(settled(turns, name, log, answer) for name in "abc"))
    assert log == [f"{name} {what}" for name in "abc" for what in ("sent", "answered")]


async def test_one_that_is_not_answered_holds_none_up_for_long() -> None:
    turns, log, answer = SettleTurns(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(settled(turns, name, log, answer)) for name in "abc"]
    await until(partial(asyncio.sleep, 0, log), lambda sent: len(sent) == 3, 30)
    assert log == ["a sent", "b sent", "c sent"]
    answer.set()
    await asyncio.gather(*tasks)


async def test_one_that_a_stop_may_count_waits_for_none() -> None:
    turns, log, never = SettleTurns(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(settled(turns, "a", log, never))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(settled(turns, "failed", log, never, waits=False)))
    await asyncio.sleep(0)
    assert log == ["a sent", "failed sent"]
    never.set()
    await asyncio.gather(*tasks)


async def test_one_that_is_closed_while_it_waits_holds_up_none() -> None:
    turns, log, answer = SettleTurns(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(settled(turns, name, log, answer)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    answer.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert log == ["a sent", "a answered", "c sent", "c answered"]
