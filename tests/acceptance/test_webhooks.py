"""Webhooks of real workers that are killed, and of receivers that fail: no event is lost, and none has two ids."""

import base64
import json
import signal
from collections import Counter

import pytest

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.webhooks import endpoints
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import EndpointOrder, EventType
from tests.support.receiver import KEY, SETTINGS, Got, Receiver, make_due, receiving, verified
from tests.support.stage import Stage, ended, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance
JOBS = 200


async def add(ledger: Ledger, receiver: Receiver, *types: EventType) -> tuple[str, str]:
    allowed = Allowed.of([SETTINGS["webhook_allow"]])
    made = await endpoints.add(
        ledger, EndpointOrder.of(receiver.url, types, [], None, allowed), (base64.b64decode(KEY),)
    )
    return made.endpoint.id, made.secret


async def test_each_of_many_jobs_is_told_by_one_id_however_often_the_receiver_fails(valkey_stage: Stage) -> None:
    stage = valkey_stage
    with receiving() as receiver:

        def answer(got: Got) -> int:
            """Fails up to three times, as its id has it; the last failure is an answer that is lost."""
            fails = int(got.id[-4:], 16) % 4
            return 200 if len(receiver.got[got.id]) > fails else 500 + fails

        receiver.answer = answer
        async with stage.ledger() as ledger:
            endpoint, secret = await add(ledger, receiver, EventType.JOB_ENDED, EventType.JOB_RESULTS)
            for _ in range(2):
                stage.worker(**SETTINGS)
            references = stage.platform.open_references(JOBS)
            jobs = [await submit(ledger, [reference]) for reference in references]
            for job in jobs:
                await ended(ledger, job, 30)

            async def told() -> set[str]:
                await make_due(ledger, endpoint)
                return {json.loads(sent[0].body)["data"]["job"] for sent in list(receiver.got.values())}

            await until(told, lambda seen: len(seen) == JOBS, 30, every_s=0.2)

            async def waiting() -> int:
                await make_due(ledger, endpoint)
                return (await endpoints.get(ledger, endpoint)).waiting

            await until(waiting, lambda count: not count, 30, every_s=0.2)
    sent = [got for same in receiver.got.values() for got in same]
    assert all(verified(got, secret) for got in sent)
    events = [json.loads(same[0].body) for same in receiver.got.values()]
    assert Counter(event["data"]["job"] for event in events if event["type"] == "job.ended") == Counter(jobs)
    results = [one for event in events if event["type"] == "job.results" for one in event["data"]["results"]]
    assert Counter(one["reference"] for one in results) == Counter(references)
    for same in receiver.got.values():
        assert len(same) == int(same[0].id[-4:], 16) % 4 + 1, "it was sent until it was taken, and no more"


async def test_a_worker_killed_between_the_answer_and_its_record_has_it_sent_again_by_the_next(
    valkey_stage: Stage,
) -> None:
    stage = valkey_stage
    with receiving() as receiver:

        def kill(_: Got) -> int:
            stage.workers[0].end(signal.SIGKILL)
            return 200

        receiver.answer = kill
        async with stage.ledger() as ledger:
            endpoint, secret = await add(ledger, receiver)
            stage.worker(**SETTINGS | {"lease_seconds": "1"})
            job = await submit(ledger, stage.platform.open_references(1))
            await until(lambda: endpoints.get(ledger, endpoint), lambda _: receiver.came.is_set(), 30)
            assert stage.workers[0].process.wait(10) == -signal.SIGKILL
            assert (await endpoints.get(ledger, endpoint)).waiting == 1
            receiver.answer = lambda _: 200
            stage.worker(**SETTINGS | {"lease_seconds": "1"})
            await until(lambda: endpoints.get(ledger, endpoint), lambda one: one.delivered == 1, 30)
    ((_, sent),) = receiver.got.items()
    assert len(sent) == 2
    assert {json.loads(got.body)["data"]["job"] for got in sent} == {job}
    assert all(verified(got, secret) for got in sent)
