"""Deliveries to real receivers on loopback, by one process at a time."""

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import DeliveryState, Endpoint, EndpointOrder, EndpointState
from cancellist.worker.webhooks.deliverer import Deliverer
from cancellist.worker.webhooks.sender import Sender
from tests.contract.steps import drained, refs, submit
from tests.support.receiver import KEY, Receiver, make_due, receiving, verified
from tests.support.servers import Server
from tests.support.waiting import until

KEYS = (base64.b64decode(KEY),)
LOOPBACK = Allowed.of(["127.0.0.0/8"])


@pytest.fixture
async def ledger(valkey: Server) -> AsyncIterator[Ledger]:
    """An empty ledger; its server's kind makes no difference here."""
    redis = await connect(valkey.url)
    await redis.flushall()
    ledger = Ledger(redis)
    await ledger.open()
    yield ledger
    await redis.aclose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@contextlib.asynccontextmanager
async def delivering(
    ledger: Ledger, *, worker: str = "w1", keys: tuple[bytes, ...] = KEYS, timeout_s: float = 15.0
) -> AsyncIterator[Deliverer]:
    """Delivers until the block ends, as a worker does."""
    async with Sender(LOOPBACK, timeout_s=timeout_s) as sender:
        deliverer = Deliverer(ledger, worker, keys, sender, lease_s=30)

        async def keep() -> None:
            while True:
                await deliverer.run()

        task = asyncio.create_task(keep())
        try:
            yield deliverer
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def add(ledger: Ledger, receiver: Receiver, keys: tuple[bytes, ...] = KEYS) -> tuple[str, str]:
    made = await endpoints.add(ledger, EndpointOrder.of(receiver.url, [], [], None, LOOPBACK), keys)
    return made.endpoint.id, made.secret


async def end_a_job(ledger: Ledger, at: int = 0) -> str:
    job = await submit(ledger, refs(1, at))
    await drained(ledger)
    return job


async def standing(ledger: Ledger, endpoint: str, *, within_s: float = 10, **wanted: object) -> Endpoint:
    return await until(
        lambda: endpoints.get(ledger, endpoint),
        lambda one: all(getattr(one, name) == value for name, value in wanted.items()),
        within_s,
    )


async def test_what_fails_is_sent_again_with_the_same_id_and_body_and_a_signature_of_then(
    ledger: Ledger, receiver: Receiver
) -> None:
    answers = iter([500, 302, 204])
    receiver.answer = lambda _: next(answers)
    endpoint, secret = await add(ledger, receiver)
    async with delivering(ledger):
        job = await end_a_job(ledger)
        for failures in (1, 2):
            await standing(ledger, endpoint, failures=failures)
            await make_due(ledger, endpoint)
        await standing(ledger, endpoint, delivered=1, failures=0, waiting=0)
    ((name, sent),) = receiver.got.items()
    assert len(sent) == 3
    assert {one.body for one in sent} == {sent[0].body}
    assert json.loads(sent[0].body)["data"]["job"] == job
    assert all(verified(one, secret) for one in sent)
    (delivery,) = (await endpoints.deliveries(ledger, endpoint, limit=9)).deliveries
    assert (delivery.id, delivery.state, delivery.tries, delivery.status) == (name, DeliveryState.DELIVERED, 3, 204)


async def test_while_the_server_is_full_events_wait_and_none_is_lost(
    ledger: Ledger, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, _ = await add(ledger, receiver)
    job = await submit(ledger, refs(1))
    await ledger.redis.config_set("maxmemory", 1000)
    try:
        await drained(ledger)
        async with delivering(ledger):
            said = partial(asyncio.sleep, 0, capsys)
            await until(said, lambda now: "no room for webhooks" in now.readouterr().out, 30)
            assert not receiver.got
            await ledger.redis.config_set("maxmemory", 0)
            await standing(ledger, endpoint, delivered=1, waiting=0)
    finally:
        await ledger.redis.config_set("maxmemory", 0)
    ((sent,),) = receiver.got.values()
    assert json.loads(sent.body)["data"]["job"] == job


async def test_410_ends_it_at_once_and_enabling_it_sends_what_waits(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 410
    endpoint, _ = await add(ledger, receiver)
    async with delivering(ledger):
        await end_a_job(ledger)
        found = await standing(ledger, endpoint, state=EndpointState.DISABLED)
        assert found.why == "HTTP 410: it wants no more"
        second = await end_a_job(ledger, 10)
        receiver.answer = lambda _: 200
        await endpoints.enable(ledger, endpoint)
        await standing(ledger, endpoint, delivered=2, waiting=0)
    assert second in {json.loads(sent[-1].body)["data"]["job"] for sent in receiver.got.values()}


async def test_one_that_hangs_does_not_hold_up_another(ledger: Ledger, receiver: Receiver) -> None:
    ends = threading.Event()

    def hang(_: object) -> int:
        ends.wait(20)
        return 200

    with receiving() as other:
        receiver.answer = hang
        hung, _ = await add(ledger, receiver)
        well, _ = await add(ledger, other)
        try:
            async with delivering(ledger):
                for at in range(8):
                    await end_a_job(ledger, at * 10)
                await standing(ledger, well, delivered=8)
                stuck = await endpoints.get(ledger, hung)
                assert (stuck.delivered, stuck.waiting) == (0, 8)
                assert 0 < len(receiver.got) <= 4, "few at once"
                ends.set()
                await standing(ledger, hung, delivered=8)
        finally:
            ends.set()
    assert {len(sent) for sent in (*receiver.got.values(), *other.got.values())} == {1}


async def test_one_process_delivers_and_another_goes_on_when_it_has_ended(ledger: Ledger, receiver: Receiver) -> None:
    endpoint, _ = await add(ledger, receiver)
    async with delivering(ledger, worker="second") as second:
        async with delivering(ledger, worker="first"):
            await end_a_job(ledger)
            await standing(ledger, endpoint, delivered=1)
        await until(second.idle, bool, 30)
        await end_a_job(ledger, 10)
        await standing(ledger, endpoint, delivered=2)
    assert await events.lease(ledger, "third", 1000) == (True, 1), "who ends gives the lease back"
    assert [len(sent) for sent in receiver.got.values()] == [1, 1]


async def test_while_the_key_is_changed_both_sign_and_with_another_key_nothing_is_sent(
    ledger: Ledger, receiver: Receiver
) -> None:
    new = (b"a new key of tests, also nobody's",)
    endpoint, old_secret = await add(ledger, receiver)
    async with delivering(ledger, keys=new) as wrong:
        await end_a_job(ledger)
        await until(wrong.idle, bool, 30)
        assert not receiver.got
    async with delivering(ledger, keys=(*new, *KEYS)):
        await standing(ledger, endpoint, delivered=1)
        new_secret = (await endpoints.rotate(ledger, endpoint, (*new, *KEYS))).secret
        await end_a_job(ledger, 10)
        await standing(ledger, endpoint, delivered=2)
    before, after = [sent[0] for sent in receiver.got.values()]
    assert verified(before, old_secret)
    assert not verified(before, new_secret)
    assert verified(after, old_secret), "of the version before, by the key before"
    assert verified(after, new_secret)


async def test_a_failing_one_is_tried_one_at_a_time_beyond_its_schedule_and_then_all_is_sent(
    ledger: Ledger, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 503
    endpoint, _ = await add(ledger, receiver)
    async with delivering(ledger):
        for at in range(6):
            await end_a_job(ledger, at * 10)
        await standing(ledger, endpoint, failures=6, waiting=6)
        receiver.answer = lambda _: 200
        long_ago = await ledger.now_ms() - 400_000
        await ledger.redis.hset(ledger.keys.webhook(endpoint), "tried_at", long_ago)
        await standing(ledger, endpoint, delivered=6, waiting=0)
    assert [len(sent) for sent in receiver.got.values()] == [2] * 6
