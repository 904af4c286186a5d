"""What goes wrong under the facade is told in the platform's form, and a long list takes little memory."""

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import httpx
import pytest

from cancellist.sandbox.world.references import reference
from tests.support.api import WITHIN_S, Api, serving
from tests.support.commands import Desk
from tests.support.servers import Server, running
from tests.support.stage import platform
from tests.support.waiting import soon

LIST = "/consignments/cancellist"
MIB: Final = 1024 * 1024
ROWS: Final = 200_000
ABOVE_IDLE: Final = 40 * MIB
FORM = ["Code", "Message", "CorrelationId", "Details"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("redis", tmp_path_factory.mktemp("r"), fsync="always") as one:
        yield one


@pytest.fixture(scope="module")
def desk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("faults")
    with platform(folder) as world:
        yield Desk(folder, world, server.url, {"redis_url": server.url, "api_url": world.url})


@pytest.fixture(scope="module")
def api(desk: Desk) -> Iterator[Api]:
    """Without a worker: nothing ends by itself."""
    with serving(desk) as one:
        yield one


@pytest.fixture(scope="module")
def small(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that takes little, and does not wait for long."""
    limits = {"serve_max_body": "20000", "serve_max_rows": "50", "serve_max_connections": "1", "serve_rate": "5",
              "serve_max_wait": "20"}  # fmt: skip
    with serving(desk, log=tmp_path_factory.mktemp("small") / "log", **limits) as one:
        assert one.description, "asked for now: later it may be one request too many"
        yield one


def form(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, list(answer.json())) == (status, FORM), answer.text
    assert answer.json()["Code"] == code
    assert answer.json()["CorrelationId"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status in {429, 503})


def submitted(desk: Desk, before: set[str]) -> str:
    """The job that has come since."""
    return soon(lambda: {job.id for job in desk.jobs() if job.state != "sealing"} - before, within_s=WITHIN_S).pop()


def test_without_its_server_nothing_is_handed_in_and_that_is_said(api: Api, desk: Desk, server: Server) -> None:
    client, asked, before = api.client(), desk.fresh(2), {job.id for job in desk.jobs()}
    server.kill()
    try:
        form(client.put(LIST, json=asked), 503, "server_unavailable")
        form(client.put(f"/consignments/{asked[0]}/cancel"), 503, "server_unavailable")
    finally:
        server.restart()
    assert {job.id for job in desk.jobs()} == before


def test_once_it_is_handed_in_its_address_is_told_though_the_server_goes(api: Api, desk: Desk, server: Server) -> None:
    asked, before = desk.fresh(2), {job.id for job in desk.jobs()}
    client = api.client()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.put, LIST, json=asked)
        job = submitted(desk, before)
        server.kill()
        try:
            answer = waiting.result(WITHIN_S)
        finally:
            server.restart()
    form(answer, 202, "cancellation_goes_on")
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert client.get(answer.headers["location"]).json()["total"] == 2


def test_a_process_that_is_told_to_end_tells_the_address_of_what_it_waits_for(desk: Desk, api: Api) -> None:
    asked, before = desk.fresh(1), {job.id for job in desk.jobs()}
    with serving(desk, log=desk.folder / "ending.log") as one, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(one.client().put, f"/consignments/{asked[0]}/cancel")
        job = submitted(desk, before)
        one.process.send_signal(signal.SIGTERM)
        answer = waiting.result(WITHIN_S)
    form(answer, 202, "cancellation_goes_on")
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert api.client().get(f"/v1/jobs/{job}").json()["state"] == "queued"


def test_what_is_beyond_the_limits_is_refused_and_nothing_is_handed_in(small: Api, desk: Desk) -> None:
    before = {job.id for job in desk.jobs()}
    client = small.client("submit-role-token")
    form(client.put(LIST, json=[f"EC-000-000-{n:03}" for n in range(51)]), 413, "body_too_large")
    form(client.put(LIST, json=[f"EC-000-{n:03}-000" + " " * 400 for n in range(50)]), 413, "body_too_large")
    for _ in range(30):
        answer = client.put(LIST, content=b"[]", headers={"Content-Type": "application/json"})
        if answer.status_code == 429:
            break
    form(answer, 429, "too_many_requests")
    assert {job.id for job in desk.jobs()} == before


def test_beyond_so_many_at_once_it_is_told_to_come_again(small: Api, desk: Desk) -> None:
    asked, before = desk.fresh(1), {job.id for job in desk.jobs()}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(small.client().put, LIST, json=asked, headers={"Prefer": "wait=3"})
        job = submitted(desk, before)
        form(small.client("read-role-token").put(LIST, json=asked), 503, "too_many_connections")
        form(waiting.result(WITHIN_S), 202, "cancellation_goes_on")
    assert waiting.result().headers["location"] == f"/v1/jobs/{job}"


def test_a_long_list_takes_little_memory_on_its_way_in_and_out(desk: Desk) -> None:
    asked = [reference(99, n) for n in range(ROWS)]
    body, kind = json.dumps(asked).encode(), {"Content-Type": "application/json", "Idempotency-Key": "a long list"}
    with serving(desk, log=desk.folder / "long.log", from_nothing=True) as one:
        client = one.client()
        client.put(LIST, json=desk.fresh(10), headers={"Prefer": "wait=0"}).raise_for_status()
        idle = one.memory
        with Peak(one) as taken:
            answer = client.put(LIST, content=body, headers=kind | {"Prefer": "wait=0"})
        form(answer, 202, "cancellation_goes_on")
        client.post(f"{answer.headers['location']}/abort").raise_for_status()
        desk.drain()
        with Peak(one) as given:
            answer = client.put(LIST, content=body, headers=kind)
    assert answer.headers["cancellist-outcomes"] == f"aborted={ROWS}"
    assert [row["Data"] for row in answer.json()] == asked
    assert not any(row["IsSuccess"] for row in answer.json())
    for peak in (taken, given):
        assert peak.bytes - idle <= ABOVE_IDLE, f"{(peak.bytes - idle) / MIB:.1f} MiB"


class Peak:
    """The most memory that a process has while a block runs."""

    def __init__(self, api: Api) -> None:
        self.bytes = api.memory
        self._api = api
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.01):
            self.bytes = max(self.bytes, self._api.memory)
