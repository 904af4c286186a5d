"""Signing in on a page: the session counts as its token, for what the server's own pages send and for nothing else."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, problem, serving
from tests.support.commands import Desk

OWN = {"Sec-Fetch-Site": "same-origin"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
READ = "read-role-token"


@pytest.fixture(scope="module")
def api(one: Desk) -> Iterator[Api]:
    with serving(one) as running:
        yield running


@pytest.fixture(scope="module")
def behind(one: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process under a path, behind a proxy on this machine that speaks TLS."""
    given = {"serve_prefix": "/c", "serve_trusted_proxies": "127.0.0.1"}
    with serving(one, log=tmp_path_factory.mktemp("behind") / "log", **given) as running:
        yield running


def sign_in(client: httpx.Client, token: str = EVERY, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"token": token}, headers=headers or OWN)


def signed_in(api: Api, token: str = EVERY) -> httpx.Client:
    client = api.client(None)
    assert sign_in(client, token).status_code == 303
    return client


def test_a_token_signs_in_and_the_session_may_what_the_token_may(api: Api) -> None:
    client = api.client(None)
    assert client.get("/").headers["location"] == "/sign-in"
    assert 'name="token"' in client.get("/sign-in").text
    answer = sign_in(client, READ)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert READ not in cookie
    assert "only-read" in client.get("/").text
    assert client.get("/v1/jobs", headers=OWN).status_code == 200
    problem(client.post("/v1/stop", headers=OWN), "forbidden")


def test_signing_out_ends_the_session_itself(api: Api) -> None:
    client = signed_in(api)
    kept = dict(client.cookies)
    answer = client.post("/sign-out", headers=OWN)
    assert (answer.status_code, answer.headers["location"], dict(client.cookies)) == (303, "/sign-in", {})
    problem(api.client(None, cookies=kept).get("/v1/jobs", headers=OWN), "unauthorized")


@pytest.mark.parametrize(
    ("headers", "reads", "changes"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True, True),
        ({"Sec-Fetch-Site": "none"}, True, False),
        ({"Sec-Fetch-Site": "same-site"}, False, False),
        ({"Sec-Fetch-Site": "cross-site"}, False, False),
        ({"Sec-Fetch-Site": "odd"}, False, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "OURS"}, False, False),
        ({}, True, False),
        ({"Origin": "OURS"}, True, True),
        ({"Origin": "null"}, False, False),
        ({"Origin": "http://elsewhere.example"}, False, False),
        ({"Origin": "http://127.0.0.1:1"}, False, False),
        ({"Origin": "https://OURS"}, False, False),
    ],
)
def test_a_session_counts_only_for_what_its_own_pages_send(
    api: Api, headers: dict[str, str], reads: bool, changes: bool
) -> None:
    ours = {name: value.replace("https://OURS", api.url.replace("http:", "https:")).replace("OURS", api.url)
            for name, value in headers.items()}  # fmt: skip
    client = signed_in(api)
    for method, path, may in (
        ("GET", "/v1/jobs", reads), ("HEAD", "/v1/jobs", reads), ("GET", "/v1/events", reads),
        ("POST", "/v1/accounts/default/resume", changes), ("DELETE", "/v1/stop", changes),
        ("PATCH", "/v1/jobs/0", changes), ("PUT", "/consignments/EC-000-05D-1NS/cancel", changes),
    ):  # fmt: skip
        with client.stream(method, path, headers=ours | {"Prefer": "wait=0"}) as answer:
            assert (answer.status_code != 401) == may, (method, path)
    for path in ("/sign-in", "/sign-out"):
        answer = api.client(None).post(path, data={"token": EVERY}, headers=ours)
        assert (answer.status_code == 303) == changes
        if not changes:
            problem(answer, "cross_origin")


def test_a_token_that_a_request_brings_counts_before_its_session(api: Api) -> None:
    client = signed_in(api)
    problem(client.get("/v1/jobs", headers=OWN | {"Authorization": "Bearer wrong"}), "unauthorized")
    problem(client.post("/v1/stop", headers=OWN | {"Authorization": f"Bearer {READ}"}), "forbidden")


@pytest.mark.parametrize("token", ["", "unheard-of", EVERY[:-1], f"{EVERY}x", "<script>alert(1)</script>", "\x00"])
def test_a_wrong_token_signs_nobody_in_and_is_not_shown(api: Api, token: str) -> None:
    client = api.client(None)
    answer = sign_in(client, token)
    assert (answer.status_code, dict(client.cookies)) == (403, {})
    assert 'role="alert"' in answer.text
    assert not token or token not in answer.text
    answer = client.get("/", params={"token": token})
    assert (answer.status_code, dict(client.cookies)) == (403, {})
    assert not token or token not in answer.text


def test_a_configured_token_does_not_count_in_an_address(api: Api) -> None:
    assert api.client(None).get("/", params={"token": EVERY}).status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"token=" + b"x" * 5000, FORM["Content-Type"], "body_too_large"),
        (b'{"token": "x"}', "application/json", "unsupported_media_type"),
        (b"token=x", "text/plain", "unsupported_media_type"),
    ],
)
def test_what_is_no_form_of_the_page_is_refused(api: Api, body: bytes, kind: str, code: str) -> None:
    problem(api.client(None).post("/sign-in", content=body, headers=OWN | {"Content-Type": kind}), code)


def test_two_tokens_in_a_form_are_none(api: Api) -> None:
    body = f"token={EVERY}&token={EVERY}"
    assert api.client(None).post("/sign-in", content=body, headers=OWN | FORM).status_code == 403


def test_the_printed_address_signs_in_and_leaves_no_token_behind(one: Desk, tmp_path: Path) -> None:
    with serving(one, log=tmp_path / "log", api_tokens="") as own:
        give_up_at = time.monotonic() + WITHIN_S
        while not (printed := re.search(r"sign in at (\S+)/\?token=(\S+)\n", own.log.read_text())):
            assert time.monotonic() < give_up_at
        assert printed[1] == own.url
        token = printed[2]
        client = own.client(None)
        elsewhere = client.get("/", params={"token": token}, headers={"Sec-Fetch-Site": "cross-site"})
        assert (elsewhere.status_code, dict(client.cookies)) == (403, {})
        answer = client.get("/", params={"token": token}, headers={"Sec-Fetch-Site": "none"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.post("/v1/accounts/default/resume", headers=OWN).status_code == 200
        pages = [client.get(path, headers=OWN) for path in ("/", "/sign-in", "/docs", "/v1/jobs")]
        shown = "".join(str(page.headers) + page.text for page in (*pages, answer, elsewhere))
        client.get("/v1/jobs?token=" + token, headers={"Referer": f"{own.url}/?token={token}"})
    assert token not in shown
    lines = [line for line in own.log.read_text().splitlines() if token in line]
    assert [line.rpartition("sign in at ")[2] for line in lines] == [f"{printed[1]}/?token={token}"]


@pytest.mark.parametrize(
    "proxied",
    [
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cancel.example"},
        {"X-Forwarded-Proto": "https", "Host": "cancel.example"},
        {"Forwarded": 'for=192.0.2.7;proto=https;host="cancel.example"'},
    ],
)
def test_behind_a_path_and_tls_the_cookie_is_of_that_path_and_secure(behind: Api, proxied: dict[str, str]) -> None:
    client = behind.client(None)
    assert client.get("/", headers=proxied).headers["location"] == "/c/sign-in"
    answer = sign_in(client, **proxied, Origin="https://cancel.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/")
    name, _, words = answer.headers["set-cookie"].partition("=")
    assert name.startswith("__Secure-")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/c"} <= set(words.split("; "))
    given = {"Cookie": f"{name}={words.partition(';')[0]}"} | proxied
    assert client.get("/v1/jobs", headers=given | OWN).status_code == 200
    page = client.get("/", headers=given).text
    assert set(re.findall(r'(?:href|action|src)="([^"]*)"', page)) == {
        f"/c{path}" for path in ("/static/icon.svg", "/static/monitor.css", "/docs", "/v1/jobs", "/v1/accounts",
                                 "/sign-out")
    }  # fmt: skip
    plain = {"Cookie": given["Cookie"]}
    assert client.get("/v1/jobs", headers=plain | OWN).status_code == 401, "a secure cookie counts behind TLS alone"
    problem(sign_in(client, Origin="https://cancel.example"), "cross_origin")


def test_a_page_may_load_its_own_style_and_picture_and_nothing_else(api: Api) -> None:
    client = signed_in(api)
    for path in ("/", "/sign-in"):
        page = client.get(path)
        words = [one.split() for one in page.headers["content-security-policy"].split("; ")]
        policy: dict[str, Any] = {name: values for name, *values in words}
        assert policy.pop("default-src") == ["'none'"]
        assert {"frame-ancestors", "base-uri", "form-action", "style-src"} <= policy.keys()
        assert all(values in (["'self'"], ["'none'"]) for values in policy.values())
        assert page.headers["referrer-policy"] == "same-origin", "else a browser hides where a form comes from"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)
        for needed in re.findall(r'<link[^>]*href="([^"]*)"', page.text):
            assert client.get(needed).status_code == 200
    problem(client.get("/static/..%2Fpages.py"), "not_found")
    problem(client.get("/static/nothing.css"), "not_found")


def test_the_log_says_who_has_signed_in_and_no_secret(api: Api) -> None:
    client = signed_in(api, READ)
    client.get("/v1/jobs", headers=OWN | {"X-Request-ID": "by-session"})
    client.post("/sign-out", headers=OWN)
    give_up_at = time.monotonic() + WITHIN_S
    while "by-session" not in (log := api.log.read_text()):
        assert time.monotonic() < give_up_at
    lines = {line["request_id"]: line for line in map(json.loads, log.splitlines()) if "request_id" in line}
    assert lines["by-session"]["caller"] == "only-read"
    for secret in (EVERY, *OF_ROLE.values(), *dict(client.cookies).values()):
        assert secret not in log
