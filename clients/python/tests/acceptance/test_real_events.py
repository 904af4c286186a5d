"""A wait tells the truth of a job of the real server, whatever becomes of connections and of the server meanwhile."""

import asyncio
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from cancellist_client import AsyncClient, Client, Job, JobTimeout
from cancellist_client.retrying import Backoff
from tests.support.api import EVERY, Api, serving
from tests.support.commands import Desk, desk
from tests.support.cutting_proxy import CuttingProxy

pytestmark = pytest.mark.acceptance

PACE = {"max_references_per_call": "5", "max_calls_per_second": "40"}
WITHIN_S = 60
EAGER = Backoff(retries=1_000, base_s=0.01, cap_s=0.02)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("place")) as one, one.started("worker", **PACE):
        yield one


@pytest.fixture(scope="module")
def api(place: Desk) -> Iterator[Api]:
    with serving(place) as api:
        yield api


@pytest.fixture
def direct(api: Api) -> Iterator[Client]:
    with Client(api.url, token=EVERY) as client:
        yield client


def of_job(document: Any) -> dict[str, Any]:
    """What a document says of the job itself: its account's calls and limits move between two looks."""
    account = {"calls_in_flight", "workers"}
    return {name: value for name, value in document.items() if name not in account and not name.startswith("account_")}


def waited(kind: str, url: str, job: str, timeout: float) -> tuple[Any, list[str]]:
    """The document and the references of results that a client of this kind has once it has waited for a job."""

    async def wait() -> tuple[Any, list[str]]:
        async with AsyncClient(url, token=EVERY) as client:
            client._transport._backoff = EAGER
            found = await (await client.job(job)).wait(timeout)
            return of_job(found.status.document), [result.reference async for result in found.results()]

    if kind == "async":
        return asyncio.run(wait())
    with Client(url, token=EVERY) as client:
        client._transport._backoff = EAGER
        found = client.job(job).wait(timeout)
        return of_job(found.status.document), [result.reference for result in found.results()]


def true(client: Client, job: str) -> tuple[Any, list[str]]:
    found = client.job(job)
    return of_job(found.status.document), [result.reference for result in found.results()]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_wait_over_cut_connections_ends_with_the_truth(place: Desk, api: Api, direct: Client, kind: str) -> None:
    chance = random.Random(7)
    with CuttingProxy(api.url, lambda: int(20_000 * chance.random() ** 3)) as proxy:
        for _ in range(5):
            job = direct.submit([*place.fresh(40), *place.fresh(3, "Manifested")])
            assert waited(kind, proxy.url, job.id, WITHIN_S) == true(direct, job.id)
        assert proxy.cuts >= 10


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_wait_without_a_word_of_events_asks_from_time_to_time(place, api, direct, kind: str) -> None:
    """So it is behind a proxy that collects an answer before it hands it on."""
    with CuttingProxy(api.url, holds=b"/events") as proxy:
        job = direct.submit(place.fresh(3), start_at="+1s")
        assert waited(kind, proxy.url, job.id, 4) == true(direct, job.id)
        assert any(b"/events" in asked for asked in proxy.asked)


def test_a_wait_outlives_a_server_that_is_killed_and_started_anew(place: Desk) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        first = stack.enter_context(serving(place))
        proxy = stack.enter_context(CuttingProxy(first.url))
        client = stack.enter_context(Client(proxy.url, token=EVERY))
        job = client.submit(place.fresh(5), start_at="+1h")
        proxy.told.clear()
        waits = [threads.submit(waited, kind, proxy.url, job.id, WITHIN_S) for kind in ("sync", "async")]
        assert proxy.told.wait(WITHIN_S)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        with pytest.raises(JobTimeout) as caught:
            job.wait(1)
        assert caught.value.job is job
        assert str(caught.value) == f"job {job.id} is held after 1 seconds"

        again = stack.enter_context(serving(place))
        proxy.target = again.url
        with pytest.raises(JobTimeout):
            job.wait(0.6)
        assert job.status.pending == 5  # its whole document by now, where the submission told but a part
        job.abort()
        for wait in waits:
            assert wait.result(WITHIN_S) == true(client, job.id)
        assert client.job(job.id).state == "aborted"


def test_a_wait_shows_how_far_a_job_is(place: Desk, api: Api, direct: Client) -> None:
    job = direct.submit(place.fresh(400))
    seen: list[int] = []
    stop = threading.Event()

    def look(job: Job) -> None:
        while not stop.is_set():
            if not seen or seen[-1] != job.status.outcomes.get("cancelled", 0):
                seen.append(job.status.outcomes.get("cancelled", 0))

    with ThreadPoolExecutor(1) as threads:
        threads.submit(look, job)
        try:
            job.wait(WITHIN_S)
        finally:
            stop.set()
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert job.status.outcomes == {"cancelled": 400}
