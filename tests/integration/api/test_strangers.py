"""Nobody who is unknown takes a place from who has a token, however they send and read."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from cancellist.jobs.access import Access
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, problem, serving
from tests.support.commands import desk

PLACES = 4
HOST = b"Host: x\r\n"
FORM = (
    b"POST /sign-in HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\n" + HOST
    + b"Content-Type: application/x-www-form-urlencoded\r\n"
)  # fmt: skip
WAYS = {
    "a form that does not end": FORM + b"Content-Length: 100\r\n\r\ntoken=",
    "a form in pieces": FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\ntok",
    "a form that is waited for": FORM + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    "a head that does not end": b"GET /healthz HTTP/1.1\r\nX-Slow: ",
    "a list with a wrong key": b"PUT /consignments/cancellist HTTP/1.1\r\n" + HOST
    + b"ocp-apim-subscription-key: guess\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[",
    "an upload with a wrong token": b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Authorization: Bearer guess\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 100\r\n\r\nEC",
    "answers that are not read": (b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 50,
}  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("strangers")) as one, serving(one, serve_max_connections=str(PLACES)) as running:
        assert running.description, "asked for now: later there may be no place"
        yield running


def taken(stack: ExitStack, api: Api, sent: bytes) -> socket.socket:
    """A connection of a stranger who has sent this."""
    parts = urlsplit(api.url)
    one = stack.enter_context(socket.socket())
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(WITHIN_S)
    one.connect((parts.hostname or "", parts.port or 0))
    with suppress(ConnectionError):
        one.sendall(sent)
    return one


@pytest.mark.parametrize("way", WAYS)
def test_who_has_a_token_is_served_at_once_whoever_fills_the_places(api: Api, way: str) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            for _ in range(2 * PLACES):
                taken(stack, api, WAYS[way])
            for token in OF_ROLE.values():
                answer = httpx.get(f"{api.url}/v1/jobs", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
                assert answer.status_code == (200 if token == OF_ROLE[Access.READ] else 403)
            form = {"data": {"token": EVERY}, "headers": {"Sec-Fetch-Site": "same-origin"}}
            assert httpx.post(f"{api.url}/sign-in", **form, trust_env=False).status_code == 303


def test_who_is_known_keeps_the_place_whatever_strangers_do(api: Api) -> None:
    """All places are at work for one who is known: strangers are told so, and take none."""
    auth = b"Authorization: Bearer " + EVERY.encode() + b"\r\n"
    upload = (
        b"POST /v1/jobs?start_at=%2B9h HTTP/1.1\r\n" + HOST + auth + b"Expect: 100-continue\r\nConnection: close\r\n"
    )
    with ExitStack() as stack:
        known = []
        for n in range(PLACES):
            known.append(taken(stack, api, upload + b"Content-Type: text/plain\r\nContent-Length: 15\r\n\r\n"))
            assert known[-1].recv(100).startswith(b"HTTP/1.1 100"), n
        for sent in WAYS.values():
            taken(stack, api, sent)
        problem(api.client(None).get("/sign-in"), "too_many_connections")
        for n, one in enumerate(known):
            one.sendall(b"EC-STR-%03d-AAA\n" % n)
            assert one.recv(100).startswith(b"HTTP/1.1 202")


def test_a_form_that_is_said_to_be_long_is_refused_before_it_is_sent(api: Api) -> None:
    with ExitStack() as stack:
        sent = FORM + b"Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n"
        assert taken(stack, api, sent).recv(100).startswith(b"HTTP/1.1 413")
