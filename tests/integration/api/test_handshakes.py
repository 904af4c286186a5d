"""Handshakes of TLS that do not end hold no place: neither from others nor beyond the places there are."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.api import WITHIN_S, Api, serving
from tests.support.chatty import certified
from tests.support.commands import desk

PLACES = 4


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("handshakes")
    _, trusting = certified(folder)
    files = ("--tls-cert", str(folder / "shown.pem"), "--tls-key", str(folder / "key.pem"))
    with desk(folder) as one, serving(one, *files, serve_max_connections=str(PLACES)) as running:
        running.tls = trusting
        yield running


def hello() -> bytes:
    """What a client sends first."""
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="x").do_handshake()
    return sent.read()


def held(api: Api) -> set[int]:
    """The ports of the clients to which the process has a connection."""
    found = psutil.Process(api.process.pid).net_connections("tcp")
    return {one.raddr.port for one in found if one.raddr and one.status == psutil.CONN_ESTABLISHED}


@pytest.mark.parametrize("sent", [b"", hello()[:20], hello(), b"GET / HTTP/1.1\r\n\r\n"], ids=len)
def test_handshakes_that_do_not_end_take_no_more_than_the_places_and_nobody_waits_for_them(
    api: Api, sent: bytes
) -> None:
    parts = urlsplit(api.url)
    with ExitStack() as stack:
        ours = set()
        for _ in range(5 * PLACES):
            one = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), WITHIN_S))
            ours.add(one.getsockname()[1])
            one.sendall(sent)
        assert api.tls
        assert api.client(verify=api.tls).get("/v1/jobs").status_code == 200
        give_up_at = time.monotonic() + WITHIN_S
        while len(held(api) & ours) > PLACES:
            assert time.monotonic() < give_up_at
        assert api.client(verify=api.tls).get("/v1/jobs").status_code == 200
