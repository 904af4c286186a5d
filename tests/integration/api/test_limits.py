"""What one caller may take: bytes, entries, requests at once and a second, and the memory of the process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from cancellist.api.serving.places import SURPLUS
from cancellist.sandbox.world.references import reference
from tests.support.api import EVERY, WITHIN_S, Api, problem, serving
from tests.support.slow_upload import Upload, upload

MIB = 1024 * 1024
ROWS = 200_000
ABOVE_IDLE = 40 * MIB
TEXT = {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def small(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that takes little."""
    limits = {"serve_max_body": "20000", "serve_max_json": "2000", "serve_max_rows": "500",
              "serve_rate": "5"}  # fmt: skip
    with serving(api.desk, log=tmp_path_factory.mktemp("small") / "log", **limits) as running:
        assert running.description, "asked for now: later it may be one request too many"
        yield running


@pytest.fixture
def narrow(api: Api, tmp_path: Path) -> Iterator[Api]:
    """A process of three connections, and none of them taken."""
    with serving(api.desk, log=tmp_path / "log", serve_max_connections="3") as running:
        assert running.description, "asked for now: later there may be no place"
        yield running


@pytest.fixture
def patient(small: Api) -> httpx.Client:
    """A client of its own, with a bucket that is full: nothing before it was refused for its number."""
    return small.client("submit-role-token")


def lines(count: int) -> bytes:
    return "".join(f"EC-{n // 1000:03}-{n % 1000:03}-AAA\n" for n in range(count)).encode()


def test_a_body_that_is_too_long_is_refused_however_it_is_sent(small: Api, api: Api) -> None:
    before = {job.id for job in api.desk.jobs()}
    parts = urlsplit(small.url)
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {EVERY}\r\nContent-Type: text/plain\r\n"
        "Content-Length: 20001\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        connection.sendall(head.encode())
        assert b"413" in connection.recv(100), "before a byte of it is sent"
    with upload(small) as one:
        one.send(b"\n" * 20_001)
        problem(one.answer(), "body_too_large")
    assert {job.id for job in api.desk.jobs()} == before


def test_what_unpacks_to_too_much_is_refused(small: Api, patient: httpx.Client) -> None:
    import gzip

    for headers in (TEXT, TEXT | {"Content-Encoding": "gzip"}):
        answer = patient.post("/v1/jobs", content=gzip.compress(b"\n" * 30_000), headers=headers)
        problem(answer, "body_too_large")


def test_too_many_entries_are_refused(small: Api, api: Api) -> None:
    before = {job.id for job in api.desk.jobs()}
    problem(small.client().post("/v1/jobs", content=lines(501), headers=TEXT), "body_too_large")
    assert {job.id for job in api.desk.jobs()} == before


def test_a_json_object_that_is_too_long_is_refused_and_a_list_of_the_same_length_is_not(small: Api) -> None:
    references = [f"EC-000-{n:03}-AAB" for n in range(200)]
    client = small.client()
    found = problem(client.post("/v1/jobs", json={"references": references}), "body_too_large")
    assert "application/x-ndjson" in found["hint"]
    assert client.post("/v1/jobs", json=references, params={"start_at": "+9h"}).status_code == 202


def test_who_asks_too_fast_is_told_when_to_ask_again_and_others_are_not(small: Api) -> None:
    client = small.client("read-role-token")
    answers = [client.get("/v1/accounts") for _ in range(30)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    for answer in refused:
        problem(answer, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1
    problem(small.client("operate-role-token").get("/v1/accounts"), "forbidden")
    assert small.client(None).get("/healthz").status_code == 200


def test_strangers_of_one_address_are_held_to_the_rate_and_hold_up_nobody_that_is_known(
    api: Api, tmp_path: Path
) -> None:
    limits = {"serve_rate": "0.001", "serve_trusted_proxies": "127.0.0.1"}  # one each, and the next long after
    with serving(api.desk, log=tmp_path / "log", **limits) as running:
        one, guesses = running.client(None), (running.client("guess"), running.client(None))

        def told(client: httpx.Client, address: str, path: str = "/v1/jobs") -> str | None:
            """How it is refused; None where it is not."""
            answer = client.get(path, headers={"X-Forwarded-For": address})
            if answer.status_code != 429:
                return None
            assert int(answer.headers["retry-after"]) >= 1
            return str(problem(answer, "too_many_requests")["detail"])

        assert not told(running.client(), "192.0.2.1")
        for address in ("192.0.2.1", "2001:db8::1"):
            while not told(guesses[0], address):
                told(guesses[1], address)
        assert told(one, "2001:db8::2"), "of the same site"
        assert not told(guesses[0], "192.0.2.2")
        assert not told(guesses[0], "2001:db8:0:1::1")
        known = one.get("/v1/jobs", headers={"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {EVERY}"})
        assert "every" in problem(known, "too_many_requests")["detail"], "held to a rate of its own"
        reader = running.client("read-role-token")
        assert told(reader, "192.0.2.1") == told(guesses[0], "192.0.2.1"), "a right guess is not told from a wrong one"
        assert not told(reader, "192.0.2.9")
        for path in ("/healthz", "/readyz", "/sign-in", "/static/icon.svg"):
            assert not told(one, "192.0.2.1", path)
        form = {"X-Forwarded-For": "192.0.2.1", "Sec-Fetch-Site": "same-origin"}
        wrong, right = (one.post("/sign-in", data={"token": token}, headers=form) for token in ("x", "read-role-token"))
        assert problem(right, "too_many_requests")["detail"] == problem(wrong, "too_many_requests")["detail"]
        assert not one.cookies
        elsewhere = form | {"X-Forwarded-For": "192.0.2.10"}
        assert one.post("/sign-in", data={"token": "submit-role-token"}, headers=elsewhere).status_code == 303


def test_beyond_so_many_connections_that_work_others_are_asked_to_wait(narrow: Api) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            at_work(stack, narrow)
        answer = narrow.client().get("/v1/jobs")
        problem(answer, "too_many_connections")
        assert answer.headers["connection"] == "close"
        ready = narrow.client(None).get("/readyz")
        assert (ready.status_code, ready.headers["connection"]) == (200, "close")


def test_however_many_connect_the_process_holds_so_many_connections(narrow: Api) -> None:
    process, most = psutil.Process(narrow.process.pid), 3 + SURPLUS
    with ExitStack() as stack:
        for _ in range(3):
            at_work(stack, narrow)
        many = [stack.enter_context(connected(narrow)) for _ in range(most + 50)]
        for one in many[-50:]:
            with suppress(ConnectionError):
                assert one.recv(1) == b""
        held = [one for one in process.net_connections("tcp") if one.status == psutil.CONN_ESTABLISHED and one.raddr]
        assert len(held) <= most + 10, "with those to its Redis server and platform"


def test_a_connection_that_waits_gives_way_and_one_that_works_does_not(narrow: Api) -> None:
    """Of three places one is at work: two idle ones are kept, and a further one has the longest idle closed."""
    with ExitStack() as stack:
        one = at_work(stack, narrow)
        idle: list[socket.socket] = []
        for _ in range(3):
            idle.append(stack.enter_context(connected(narrow)))
            answered(idle[-1])
        assert idle[0].recv(1) == b"", "it was closed"
        for each in reversed(idle[1:]):
            answered(each)
        answered(stack.enter_context(connected(narrow)))
        assert idle[2].recv(1) == b"", "the other has been answered since"
        answered(idle[1])
        one.send(b"EC-000-001-AAA\n")
        one.end()
        assert one.answer().status_code == 202


def at_work(stack: ExitStack, api: Api) -> Upload:
    """An upload that the process has begun to take in."""
    one = stack.enter_context(upload(api, query="?start_at=%2B9h", Expect="100-continue"))
    assert one._block(b"").startswith(b"HTTP/1.1 100")
    one.send(b"EC-000-000-AAA\n")
    return one


def connected(api: Api) -> socket.socket:
    parts = urlsplit(api.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S)


def answered(one: socket.socket) -> None:
    """Asks on a connection that is kept, and reads the whole answer."""
    one.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer approve-role-token\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        block = one.recv(65536)
        assert block, answer
        answer += block
    assert answer.startswith(b"HTTP/1.1 404"), answer


def test_who_does_not_send_the_head_of_a_request_is_not_waited_for_and_keeps_nobody(small: Api) -> None:
    parts = urlsplit(small.url)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S))
            for _ in range(20)
        ]
        for at, one in enumerate(silent):
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "[: 3 * at])
        silent[-1].sendall(b"y\r\n\r\n")
        assert silent[-1].recv(100).startswith(b"HTTP/1.1 200")
        silent[-1].sendall(b"GET /he")
        assert small.client(None).get("/healthz").status_code == 200
        for one in silent:
            while one.recv(1000):
                pass


@pytest.mark.parametrize("kind", ["text/csv", "application/x-ndjson", "application/json"])
def test_a_long_body_takes_little_memory(api: Api, tmp_path: Path, kind: str) -> None:
    row = {
        "text/csv": "{n},{one},a note\n", "application/x-ndjson": '{{"n": {n}, "reference": "{one}"}}\n',
        "application/json": '{{"n": {n}, "reference": "{one}"}},\n',
    }[kind]  # fmt: skip
    around = {"text/csv": ("n,reference,note\n", ""), "application/json": ("[", "{}]")}.get(kind, ("", ""))

    def blocks() -> Iterator[bytes]:
        yield around[0].encode()
        for start in range(0, ROWS, 1000):
            yield "".join(row.format(n=n, one=reference(99, n)) for n in range(start, start + 1000)).encode()
        yield around[1].encode()

    with serving(api.desk, log=tmp_path / "log", from_nothing=True) as running:
        client = running.client()
        client.post("/v1/jobs?start_at=%2B9h", content=lines(10), headers=TEXT).raise_for_status()
        idle = peak = running.memory
        ended = threading.Event()

        def look() -> None:
            nonlocal peak
            while not ended.wait(0.01):
                peak = max(peak, running.memory)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            answer = client.post(
                "/v1/jobs?start_at=%2B9h&max_invalid=1", content=blocks(), headers={"Content-Type": kind}
            )
        finally:
            ended.set()
            thread.join()
        assert answer.status_code == 202, answer.text
        assert answer.json()["total"] - answer.json()["invalid"] == ROWS
        assert peak - idle <= ABOVE_IDLE, f"{(peak - idle) / MIB:.1f} MiB"
