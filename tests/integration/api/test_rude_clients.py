"""Clients that trickle, stall, break HTTP or send too much: none of them slows others, and each is told so."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import redis

from cancellist.api.problem_kinds import KINDS
from tests.support.api import EVERY, WITHIN_S, Api, problem, serving
from tests.support.slow_upload import Upload, upload

MIB = 1024 * 1024
AUTH = f"Authorization: Bearer {EVERY}\r\n".encode()
TEXT = {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def strict(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that waits for little, and holds little."""
    limits = {"serve_body_wait": "1", "serve_max_json": str(MIB // 4)}
    with serving(api.desk, log=tmp_path_factory.mktemp("strict") / "log", **limits) as running:
        yield running


def raw(api: Api, *pieces: bytes) -> bytes:
    """All that is answered to these bytes, until the server closes or says no more."""
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while block := connection.recv(65536):
                answer += block
        except ConnectionError:
            pass
        return answer


def test_a_body_that_trickles_is_given_up_and_others_are_answered_meanwhile(strict: Api) -> None:
    """How fast they are is measured: bench/crowd.py."""
    client, answered = strict.client(), 0
    before = {job.id for job in strict.desk.jobs()}
    began = time.monotonic()
    with upload(strict) as one:
        while not select.select([one], [], [], 0.05)[0]:
            one.send(b"E")
            assert client.get("/readyz").status_code == 200
            answered += 1
            assert time.monotonic() - began < WITHIN_S
        problem(one.answer(), "request_timeout")
    assert time.monotonic() - began >= 1
    assert answered
    assert {job.id for job in strict.desk.jobs()} == before


@pytest.mark.timed
def test_a_long_upload_that_goes_on_is_not_given_up(strict: Api) -> None:
    with upload(strict, query="?start_at=%2B9h") as one:
        for number in range(6):  # 300 bytes each 0.3 s: longer in all than the limit
            select.select([one], [], [], 0.3)
            one.send("".join(f"EC-TRK-{number:03}-{n:03}\n" for n in range(20)).encode())
        one.end()
        assert one.answer().json()["total"] == 120


@pytest.mark.timed
def test_all_json_objects_together_are_bounded_and_their_room_is_given_back(strict: Api) -> None:
    with ExitStack() as stack:
        many: list[Upload] = []
        for _ in range(5):
            one = stack.enter_context(upload(strict, kind="application/json"))
            one.send(b'{"references": [' + b" " * (MIB // 4 - 1000))
            many.append(one)
        refused = select.select(many, [], [], WITHIN_S)[0]
        assert len(refused) == 1
        problem(refused[0].answer(), "too_many_bodies")
    client = strict.client()
    body = b'{"references": ["EC-MEM-000-000"], "start_at": "+9h"' + b" " * (MIB // 4 - 1000) + b"}"
    give_up_at = time.monotonic() + WITHIN_S
    while (answer := client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})).is_error:
        problem(answer, "too_many_bodies")  # the others are still being let go
        assert time.monotonic() < give_up_at
    assert answer.status_code == 202


def test_what_nobody_foresees_is_a_problem_without_details(api: Api, client: httpx.Client) -> None:
    key, field = "cancellist:account:default:state", "breaker_opened"
    with redis.Redis.from_url(api.desk.url) as server:
        server.hset(key, field, f"token={EVERY}")
        try:
            found = problem(client.get("/v1/accounts"), "internal")
        finally:
            server.hdel(key, field)
    assert EVERY not in str(found)
    give_up_at = time.monotonic() + WITHIN_S
    while api.log.read_text(encoding="utf-8").count(found["request_id"]) < 2:  # its trace, and its line
        assert time.monotonic() < give_up_at
    assert "token=***" in api.log.read_text(encoding="utf-8"), "the trace shows the value, but for the token in it"
    assert EVERY not in api.log.read_text(encoding="utf-8")
    assert client.get("/v1/accounts").status_code == 200


def test_head_is_answered_as_get_without_a_body_on_every_route(api: Api, client: httpx.Client) -> None:
    options = {"start_at": "+9h", "idempotency_key": "head"}
    job = client.post("/v1/jobs", params=options, content=b"EC-HED-000-000", headers=TEXT).json()["job"]
    for path, operations in api.description.document["paths"].items():
        if "get" in operations:
            asked = re.sub(r"{\w+}", "x", path.replace("{job}", job))
            head = client.head(asked)
            with client.stream("GET", asked) as get:
                assert (head.status_code, head.content) == (get.status_code, b""), path
                assert head.headers.keys() == get.headers.keys(), path


@pytest.mark.timed
def test_who_takes_nothing_of_an_answer_is_let_go_and_who_is_slow_is_not(strict: Api) -> None:
    parts = urlsplit(strict.url)
    where = (parts.hostname or "", parts.port or 0)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100  # far more is answered than a socket holds
    process = psutil.Process(strict.process.pid)

    def held() -> set[int]:
        return {one.raddr.port for one in process.net_connections("tcp") if one.raddr}

    with socket.socket() as silent, socket.socket() as slow:
        for one in (silent, slow):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(where)
            one.sendall(asked)
        give_up_at = time.monotonic() + WITHIN_S
        while not {one.getsockname()[1] for one in (silent, slow)} <= held():
            assert time.monotonic() < give_up_at
        while silent.getsockname()[1] in held():
            assert slow.recv(1000)
            assert time.monotonic() < give_up_at
        assert slow.getsockname()[1] in held()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/nowhere", "not_found"), ("GET", "/v1/", "not_found"), ("DELETE", "/v1/jobs", "method_not_allowed"),
     ("BREW", "/v1/jobs", "method_not_allowed"), ("POST", "/healthz", "method_not_allowed")],
)  # fmt: skip
def test_what_is_not_there_is_a_problem(client: httpx.Client, method: str, path: str, code: str) -> None:
    problem(client.request(method, path), code)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\x16\x03\x01\x02\x00\x01\x00\x01"],
        [b"GET\r\n\r\n"],
        [b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n"],
        [b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 8000) for n in range(100))],
        [b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + AUTH
         + b"Content-Type: text/plain\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nEC-00"],
        [b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + AUTH
         + b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
        [b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + AUTH + b"Content-Type: text/plain\r\nContent-Length: 15\r\n"
         + b"Transfer-Encoding: chunked\r\n\r\nf\r\nEC-SMG-000-000\n\r\n0\r\n\r\n"
         + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
    ],
)  # fmt: skip
def test_broken_http_is_refused_and_nothing_is_handed_in(api: Api, client: httpx.Client, pieces: list[bytes]) -> None:
    before = {job.id for job in api.desk.jobs()}
    answer = raw(api, *pieces)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400"), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(body)["type"] == KINDS["malformed_http"].type
    assert b"content-type: application/problem+json" in head
    assert client.get("/readyz").status_code == 200
    assert {job.id for job in api.desk.jobs()} == before


def test_requests_in_one_piece_are_answered_in_their_order(api: Api) -> None:
    close = b"Connection: close\r\n"
    first, last = b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"GET /nowhere HTTP/1.1\r\nHost: x\r\n" + close
    answer = raw(api, first + b"\r\n" + first + b"\r\n" + last + b"\r\n")
    assert [answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 404")] == [2, 1]
    assert answer.rindex(b"HTTP/1.1 200") < answer.index(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Type: text/plain\r\nContent-Type: application/json\r\n", 422),
        (b"Content-Type: text/plain\r\nContent-Type: text/plain\r\n", 202),
        (b"Content-Type: text/plain\r\nIdempotency-Key: one\r\nIdempotency-Key: other\r\n", 422),
        (b"Content-Type: text/plain\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n", 415),
        (b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n", 415),
        (b"Content-Type: text/plain\r\nPrefer: respond-async\r\nPrefer: wait=0\r\n", 202),
        (b"Content-Type: text/plain\r\n" + AUTH, 401),
    ],
)  # fmt: skip
def test_a_header_that_comes_twice_is_a_list_or_refused_where_its_values_differ(
    api: Api, lines: bytes, status: int
) -> None:
    head = b"POST /v1/jobs?start_at=%2B9h HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 14\r\n" + AUTH
    answer = raw(api, head + lines + b"\r\nEC-TWC-000-000")
    assert answer.startswith(b"HTTP/1.1 %d" % status), answer
    assert (b"preference-applied: wait=0" in answer) == (b"Prefer" in lines)


def test_an_absolute_address_is_read_as_the_path_it_ends_with(api: Api) -> None:
    for origin in (b"http://elsewhere.example", b"HTTPS://elsewhere.example:1"):
        answer = raw(
            api, b"GET " + origin + b"/v1/jobs?limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + AUTH + b"\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200"), answer


def test_a_query_that_is_no_text_is_refused(client: httpx.Client) -> None:
    problem(client.get("/v1/jobs?requested_by=%ff"), "validation")


def test_trailers_end_a_body_and_a_short_body_hands_in_nothing(api: Api) -> None:
    start = (
        b"POST /v1/jobs?start_at=%2B9h HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\n" + AUTH
    )
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\nf\r\nEC-TRL-000-000\n\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert raw(api, chunked).startswith(b"HTTP/1.1 202")
    before = {job.id for job in api.desk.jobs()}
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        connection.sendall(start + b"Content-Length: 100\r\n\r\nEC-TRL-000-001\n")
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 202" not in connection.recv(1000)
    assert {job.id for job in api.desk.jobs()} == before
