"""Every answer of every route has the headers that keep browsers safe, and none that lets other sites in."""

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute

from cancellist.api.app import ROUTERS
from tests.support.api import WITHIN_S, Api, serving
from tests.support.commands import desk

ELSEWHERE = "https://elsewhere.example"
ROUTES = sorted(
    f"{method} {route.path_format}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("headers")) as one, serving(one) as running:
        yield running


def check(headers: httpx.Headers) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
    kept = headers["cache-control"]
    assert kept == "no-store" or (kept == "private, no-cache" and "etag" in headers)
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert re.fullmatch(r"[\w.-]{1,64}", headers["x-request-id"])
    assert not [name for name in headers if name.startswith("access-control-")], "pages of other sites cannot call"


@pytest.fixture(scope="module")
def clients(api: Api) -> dict[bool, httpx.Client]:
    """A client that is known, and one that is not."""
    return {True: api.client(), False: api.client(None)}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("route", ROUTES)
def test_each_route_answers_with_safe_headers_and_without_cors(
    clients: dict[bool, httpx.Client], route: str, known: bool
) -> None:
    method, _, template = route.partition(" ")
    path = re.sub(r"{\w+}", "x", template)
    client = clients[known]
    for asked in {method, *(["HEAD"] if method == "GET" else [])}:
        with client.stream(asked, path, headers={"Origin": ELSEWHERE, "Sec-Fetch-Site": "cross-site"}) as answer:
            check(answer.headers)
    before = {"Origin": ELSEWHERE, "Access-Control-Request-Method": method,
              "Access-Control-Request-Headers": "authorization"}  # fmt: skip
    answer = client.options(path, headers=before)
    assert answer.status_code == 405
    check(answer.headers)


def test_whatever_has_no_route_is_answered_with_them_too(api: Api) -> None:
    check(api.client(None).get("/nowhere").headers)
    check(api.client(None).delete("/v1/jobs").headers)
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        connection.sendall(b"GET\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    check(httpx.Headers(dict(lines)))
    assert json.loads(body)["type"] == "/problems/malformed_http"
