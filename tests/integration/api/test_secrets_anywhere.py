"""A token that a client puts where none belongs is in no line of the log, and in no answer that says what is wrong."""

import itertools
import json
import socket
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cancellist.api.problems import LONGEST_NAME
from cancellist.jobs.access import ALL, Token, digest_of
from tests.support.api import WITHIN_S, Api, serving
from tests.support.commands import desk
from tests.support.waiting import soon

SECRET = "cancellist_kR7w-Zc1vQ_t3XbN9mLpF5sHd2yGJ8aUo6eTi0VqBnM"
"""As `cancellist token` makes one."""
PATHS = (
    "/@@", "/@@/", "//@@", "/;@@", "/.@@", "/%3ftoken=@@", "/%3Ftoken%3d@@", "/%23@@", "/x%2f@@", "/sign-in/@@",
    "/sign-in%3f@@", "/?token=@@", "/?@@", "/?@@=@@", "/sign-in?token=@@", "/?token=@@&token=@@",
    "/?token=x&token=@@", "/docs?@@", "/healthz/@@", "/healthz?@@", "/readyz?@@", "/static/@@", "/problems/@@",
    "/openapi.json?@@", "/v1/@@", "/v1//@@", "/V1/PLANS/@@", "/v1/jobs/@@", "/v1/jobs/@@/results",
    "/v1/jobs/@@/receipt", "/v1/jobs/@@/abort", "/v1/jobs/@@/events", "/v1/jobs/x%3f@@", "/v1/jobs?@@=@@",
    "/v1/jobs?state=@@", "/v1/jobs?since=@@", "/v1/jobs?limit=@@", "/v1/jobs?cursor=@@", "/v1/jobs?account=@@",
    "/v1/jobs?@@=1&@@=2", "/v1/jobs?token=@@%ff", "/v1/audit?job=@@", "/v1/plans/@@", "/v1/plans//@@",
    "/v1/accounts/@@/pause", "/v1/accounts/default/resume?host=@@", "/v1/webhooks/@@", "/v1/webhooks/@@/deliveries",
    "/v1/consumers/@@", "/v1/references/@@", "/v1/references/@@?cursor=@@", "/consignments/@@/cancel",
    "/accounts/@@/consignments/x/cancel", "/consignments/@@", "http://@@/", "http://@@@x/v1/jobs", "http://x/@@",
    "http://x/?token=@@", "*@@", "@@", "/v1/webhooks/x=@@", "/v1/accounts/x=@@/pause", "/v1/webhooks/x=@@/deliveries",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", SECRET)
HEADERS = (
    "X-Request-ID: @@", "Host: @@", "Referer: http://x/?token=@@", "User-Agent: @@", "Cookie: @@",
    "Cookie: a=@@; @@=b", "X-Forwarded-For: @@", "X-Forwarded-Host: @@", "X-Forwarded-Proto: @@",
    'Forwarded: for="@@";host=@@;proto=@@', "X-User: @@", "If-None-Match: @@", "Last-Event-ID: @@", "Prefer: @@",
    "Prefer: wait=@@", "Accept: @@", "Accept: text/html, x/@@", "Accept: text/@@", "Content-Type: @@",
    "Content-Type: x/@@", "Content-Encoding: x=@@",
    "Content-Encoding: @@", "Idempotency-Key: @@", "Origin: @@", "Sec-Fetch-Site: @@", "Expect: @@",
    "Transfer-Encoding: @@", "Content-Length: @@", "Upgrade: @@\r\nConnection: upgrade", "Authorization: @@",
    "Authorization: Basic @@", "Authorization: Bearer @@ @@", "Authorization: Bearer x@@",
    "ocp-apim-subscription-key: x@@", "@@: x", "@@", "X-A: b\r\n @@",
)  # fmt: skip
HEADED = (
    "GET /", "GET /v1/jobs", "POST /v1/jobs", "POST /sign-in", "POST /sign-out", "PUT /consignments/cancellist",
    "GET /nowhere",
)  # fmt: skip
BODIES = (
    ("POST /sign-in", "application/x-www-form-urlencoded", "token=x@@"),
    ("POST /sign-in", "application/x-www-form-urlencoded", "@@"),
    ("POST /sign-in", "application/x-www-form-urlencoded", "token=@@&token=@@"),
    ("POST /sign-in", "text/plain", "@@"), ("POST /v1/jobs", "application/json", "@@"),
    ("POST /v1/jobs", "application/json", '{"@@": 1}'), ("POST /v1/jobs", "application/json", '{"@@": 1, "@@": 1}'),
    ("POST /v1/jobs", "application/json", '{"priority": "@@"}'),
    ("POST /v1/jobs", "application/json", '{"references": ["A"], "deadline": "@@"}'),
    ("POST /v1/jobs", "application/json", '{"references": {"@@": "@@"}}'), ("POST /v1/jobs", "@@", "x"),
    ("POST /v1/jobs?column=@@", "text/csv", "a,b\n1,EC-000-000-001\n"),
    ("POST /v1/jobs?account=x/@@", "text/plain", "EC-000-000-001"),
    ("POST /v1/jobs?host=http://@@", "text/plain", "EC-000-000-001"),
    ("POST /v1/webhooks", "application/json", '{"url": "@@"}'),
    ("POST /v1/webhooks", "application/json", '{"url": {"@@": 1}}'),
    ("PATCH /v1/jobs/x", "application/json", '{"@@": 1}'),
    ("PUT /consignments/cancellist", "application/json", '{"@@": 1}'),
    ("POST /v1/jobs/x/approve", "application/json", '{"@@": 1}'),
)  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that has this token, behind a path, and a proxy that it believes."""
    given = {"api_tokens": Token("anna", ALL, digest_of(SECRET)).setting, "log_level": "debug", "serve_prefix": "/c",
             "serve_trusted_proxies": "127.0.0.1"}  # fmt: skip
    with desk(tmp_path_factory.mktemp("anywhere")) as one, serving(one, **given) as running:
        yield running


def asked(api: Api, line: str, headers: str, body: str, *, known: bool) -> str:
    """All that is answered to a request, over a connection of its own."""
    parts = urlsplit(api.url)
    head = [f"{line} HTTP/1.1", *headers.splitlines(), "Connection: close"]
    head += ["Host: x"] * ("Host:" not in headers) + [f"Authorization: Bearer {SECRET}"] * known
    framed = "Content-Length: " in headers or "Transfer-Encoding: " in headers
    head += [f"Content-Length: {len(body)}"] * (not framed)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=WITHIN_S) as connection:
        connection.sendall("\r\n".join([*head, "", body]).encode())
        if framed:  # no body comes
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer.decode("latin-1")


def requests() -> Iterator[tuple[str, str, str]]:
    """The first line, headers and body of each."""
    encoded = "".join(f"%{ord(one):02x}" for one in SECRET)
    for path, method, spelled in itertools.product(PATHS, METHODS, (SECRET, SECRET[:20] + encoded[60:], encoded)):
        yield f"{method} {path.replace('@@', spelled)}", "", ""
    for line, header in itertools.product(HEADED, HEADERS):
        yield line, header.replace("@@", SECRET), ""
    for line, kind, body in BODIES:
        headers = f"Sec-Fetch-Site: same-origin\r\nContent-Type: {kind}".replace("@@", SECRET)
        yield line.replace("@@", SECRET), headers, body.replace("@@", SECRET)


@pytest.mark.parametrize("known", [False, True])
def test_a_token_wherever_it_is_put_is_neither_logged_nor_told(api: Api, known: bool) -> None:
    """Nor more of it than the first characters, so that it cannot be guessed from there."""
    statuses: Counter[str] = Counter()
    for line, headers, body in requests():
        answer = asked(api, line, headers, body, known=known)
        assert SECRET[: LONGEST_NAME + 1] not in answer, (line, headers, body, answer)
        statuses[answer[9:12]] += 1
    assert {"200", "303", "400", "403", "404", "405", "415"} <= statuses.keys()
    assert ({"422", "406"} <= statuses.keys()) == known
    assert (statuses["401"] > 100) != (statuses["422"] > 50)
    last = f"last-{known}"
    asked(api, "GET /v1/jobs", f"X-Request-ID: {last}", "", known=known)
    soon(lambda: last in api.log.read_text(), within_s=WITHIN_S)
    log = api.log.read_text()
    assert SECRET[:20] not in log
    lines = [one for one in map(json.loads, log.splitlines()) if one["event"] == "request"]
    assert len(lines) > statuses.total() - statuses["400"]
    assert {one["method"] for one in lines} >= {"GET", "POST", "***"}
    assert {"***", "/c/v1/jobs", "/c/v1/jobs/***/results"} <= {one["path"] for one in lines}
    assert {one["caller"] for one in lines if one["request_id"] == last} == {"anna" if known else None}


def test_of_a_request_that_was_met_the_log_has_what_its_path_names(api: Api) -> None:
    client = api.client(SECRET)
    job = client.post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+9h"}).json()["job"]
    client.get(f"/v1/jobs/{job}").raise_for_status()
    client.post("/v1/accounts/default/pause").raise_for_status()
    assert client.get(f"/v1/jobs/{job[::-1]}").status_code == 404
    for path in (f"/c/v1/jobs/{job}", "/c/v1/accounts/default/pause", "/c/v1/jobs/***"):
        soon(lambda path=path: f'"{path}"' in api.log.read_text(), within_s=WITHIN_S)
    assert job[::-1] not in api.log.read_text()
