"""Server-sent events of a real `cancellist serve`: whoever is cut off misses nothing and is told nothing twice."""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from cancellist.jobs.ledger.server.connection import connect
from tests.support.api import Api, serving
from tests.support.commands import Desk, desk
from tests.support.cutting_proxy import CuttingProxy
from tests.support.event_stream import Heard, applied, heard

CUTS = 100
JOBS = 40
AHEAD = 200
"""Events that one who is cut off may be behind: the process forgets more than 10,000."""
MOST_BYTES = 2000
"""The head of an answer has 500, an event some 300."""
SILENT = 40
BUFFERED = 140 * 1024
"""Bytes of a stream that wait to be read: 75 KiB in the system, of small segments, and 64 KiB in the process."""
LONG = "\N{GRINNING FACE}" * 500
LONG_JOBS = 130


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("events")) as found:
        yield found


@pytest.fixture(scope="module")
def api(one: Desk) -> Iterator[Api]:
    with serving(one) as running, one.started("worker", max_references_per_call="3", max_concurrent_calls="1"):
        yield running


def submitted(api: Api, count: int, client: httpx.Client | None = None, **options: str) -> str:
    return str(
        (client or api.client())
        .post("/v1/jobs", json=api.desk.fresh(count), params=options)
        .raise_for_status()
        .json()["job"]
    )


async def calls_of(url: str, command: str) -> int:
    """How often the server was sent a command."""
    async with await connect(url) as redis:
        found = await redis.info("commandstats")
    return int(found[f"cmdstat_{command}"]["calls"])


def number(event: Heard) -> tuple[str, int]:
    epoch, seq, _ = str(event.id).split("-")
    return epoch, int(seq)


def test_the_stream_of_a_job_begins_with_it_tells_what_changes_and_ends_with_it(api: Api) -> None:
    client = api.client()
    client.post("/v1/accounts/default/pause").raise_for_status()  # else it may have ended before the stream begins
    job = submitted(api, 40)
    with heard(api.client(), f"/v1/jobs/{job}/events") as events:
        told = [next(events)]
        client.post("/v1/accounts/default/resume").raise_for_status()
        told += list(events)
    assert [told[0].kind, told[-1].kind] == ["snapshot", "end"]
    assert {event.kind for event in told[1:-1]} <= {"change", "snapshot"}
    assert {event.data["job"] for event in told} == {job}
    numbers = [number(event) for event in told]
    assert numbers == sorted(set(numbers))
    standing: dict[str, Any] = {}
    for event in told:
        applied(standing, event)
    now = api.client().get(f"/v1/jobs/{job}").json()
    assert standing[job]["outcomes"] == now["outcomes"] == {"cancelled": 40}
    assert (standing[job]["state"], standing[job]["finished_at"]) == ("completed", now["finished_at"])


def test_the_stream_of_a_job_that_has_ended_tells_just_that(api: Api) -> None:
    job = submitted(api, 2)
    api.ended(api.client(), job)
    with heard(api.client(), f"/v1/jobs/{job}/events") as events:
        told = list(events)
    assert [event.kind for event in told] == ["end"]
    assert told[0].data["outcomes"] == {"cancelled": 2}


def test_a_stream_cut_at_a_hundred_bytes_misses_nothing_and_is_told_nothing_twice(api: Api) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, client = random.Random(seed), api.client()
    jobs = {submitted(api, 1, client, start_at="+1h") for _ in range(JOBS)}
    pieces, whole = list[Heard](), list[Heard]()
    with changing(api, jobs, lambda: len(whole) - len(pieces) < AHEAD) as enough, overheard(api, jobs, whole):
        within = 0
        with heard(client, "/v1/events") as events:
            while newest(pieces) is None:
                pieces.append(next(events))
        with CuttingProxy(api.url, lambda: chance.randrange(MOST_BYTES)) as proxy:
            while proxy.cuts < CUTS:
                before = len(pieces)
                with (
                    contextlib.suppress(httpx.TransportError),
                    heard(client, f"{proxy.url}/v1/events", newest(pieces)) as events,
                ):
                    for event in events:
                        pieces.append(event)
                within += len(pieces) > before
        enough.set()
        assert within > CUTS / 4, "cuts in the head of an answer alone show little"
        with heard(client, "/v1/events", newest(pieces)) as events:
            pieces += until_all_end(events, jobs)
    numbered = pieces[next(place for place, event in enumerate(pieces) if event.id) :]
    assert all(event.id for event in numbered)  # nothing was told anew
    numbers = [number(event) for event in numbered]
    assert numbers == sorted(set(numbers))
    uncut = {number(event): event.data for event in whole if event.id}
    later = [(key, data) for key, data in sorted(uncut.items()) if key > numbers[0]]
    assert [(number(event), event.data) for event in numbered[1:]] == later


@contextlib.contextmanager
def overheard(api: Api, jobs: set[str], whole: list[Heard]) -> Iterator[None]:
    """Notes all that one who is never cut off hears, until these jobs have ended."""
    begun = threading.Event()

    def listen() -> None:
        with heard(api.client(), "/v1/events") as events:
            for event in until_all_end(events, jobs):
                whole.append(event)
                begun.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(20)
    yield
    thread.join(30)


@contextlib.contextmanager
def changing(api: Api, jobs: set[str], more: Callable[[], bool]) -> Iterator[threading.Event]:
    """Jobs that are paused and resumed while more is wanted, until it is enough; then they are aborted."""
    enough, client = threading.Event(), api.client()

    def change() -> None:
        for word in itertools.cycle(("pause", "resume")):
            for job in jobs:
                client.post(f"/v1/jobs/{job}/{word}").raise_for_status()
            while not enough.is_set() and not more():
                enough.wait(0.01)
            if enough.is_set():
                break
        for job in jobs:
            client.post(f"/v1/jobs/{job}/abort").raise_for_status()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield enough
    finally:
        enough.set()
        thread.join(30)


def until_all_end(events: Iterator[Heard], jobs: set[str]) -> Iterator[Heard]:
    """Events up to the end of the last of these jobs."""
    left = set(jobs)
    for event in events:
        yield event
        if event.kind == "end":
            left.discard(event.data["job"])
        if not left:
            return


def newest(events: list[Heard]) -> str | None:
    """The id to go on from."""
    return next((event.id for event in reversed(events) if event.id), None)


def test_another_process_tells_anew_what_stands_and_what_has_ended_meanwhile(one: Desk) -> None:
    with serving(one) as first:
        ended, going = submitted(first, 3), submitted(first, 3, start_at="+1h")
        with heard(first.client(), "/v1/events") as events:
            last = next(event.id for event in events if event.id)
    with serving(one) as second:
        one.ok("worker", "--burst")
        told = list[Heard]()
        with heard(second.client(), "/v1/events", last) as events:
            for event in events:
                told.append(event)
                if event.id:
                    break
        second.client().post(f"/v1/jobs/{going}/abort").raise_for_status()
    assert told[0].kind == "reset"
    kinds = {event.data["job"]: event.kind for event in told[1:]}
    assert (kinds[ended], kinds[going]) == ("end", "snapshot")
    assert [event.id for event in told[:-1]] == [None] * (len(told) - 1)


def test_two_hundred_who_listen_ask_the_ledger_no_more_than_one(api: Api) -> None:
    client, job = api.client(limits=httpx.Limits(max_connections=None)), submitted(api, 3, start_at="+1h")

    def looks(listeners: int) -> int:
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(heard(client, f"/v1/jobs/{job}/events")) for _ in range(listeners)]
            assert [next(stream).kind for stream in streams] == ["snapshot"] * listeners
            before = looked()
            watched = stack.enter_context(heard(client, "/v1/events"))
            for _ in range(3):
                other = submitted(api, 1)
                assert next(event for event in watched if event.kind == "end" and event.data["job"] == other)
            return looked() - before

    def looked() -> int:
        return asyncio.run(calls_of(api.desk.url, "hgetall"))

    alone, many = looks(1), looks(200)
    api.client().post(f"/v1/jobs/{job}/abort").raise_for_status()
    assert many < 3 * alone


def test_those_who_never_read_hold_up_nobody_and_do_not_make_the_process_grow(one: Desk) -> None:
    with serving(one, namespace="silent") as api, contextlib.ExitStack() as stack:
        client, long = api.client(), {"reason": LONG, "requested_by": LONG, "start_at": "+1h"}
        with ThreadPoolExecutor(8) as several:
            keys = [LONG[:-3] + f"{number:03}" for number in range(LONG_JOBS)]
            (job, *_) = several.map(lambda key: submitted(api, 1, client, **long, idempotency_key=key), keys)
        with heard(api.client(), "/v1/events") as events:
            told = [next(events) for _ in range(LONG_JOBS + 1)]
        size = sum(len(json.dumps(event.data, ensure_ascii=False).encode()) for event in told)
        assert size > 4 * BUFFERED
        before = api.memory
        for _ in range(SILENT):
            stack.enter_context(silent(api))
        with heard(api.client(), f"/v1/jobs/{job}/events") as events:
            assert next(events).kind == "snapshot"
            client.post(f"/v1/jobs/{job}/pause").raise_for_status()
            assert next(event for event in events if "state" in event.data).data["state"] == "paused"
        assert api.memory - before < SILENT * size / 2


@contextlib.contextmanager
def silent(api: Api) -> Iterator[None]:
    """A client of small segments and a small window that has been told the first of all events, and reads nothing."""
    host, port = api.url.removeprefix("http://").split(":")
    token = api.client().headers["authorization"]
    with socket.socket() as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n".encode())
        assert connection.recv(1, socket.MSG_PEEK)
        yield


def test_streams_end_as_the_process_does(one: Desk) -> None:
    with serving(one) as api:
        job = submitted(api, 2, start_at="+1h")
        with heard(api.client(), f"/v1/jobs/{job}/events") as events:
            assert next(events).kind == "snapshot"
            api.process.terminate()
            assert list(events) == []
        assert api.process.wait(20) == 0


def test_a_stream_of_a_job_that_is_not_known_is_refused(api: Api) -> None:
    assert api.client().get("/v1/jobs/0000000000zz/events").status_code == 404
    assert api.client(None).get("/v1/events").status_code == 401
