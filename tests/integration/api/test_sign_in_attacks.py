"""Signing in as an attacker, another site's page or a careless program tries it."""

import itertools
import re
from collections.abc import Iterator

import httpx
import pytest

from cancellist.api.monitor.sessions import MOST_OF_ONE
from tests.support.api import EVERY, WITHIN_S, Api, problem, serving
from tests.support.commands import Desk
from tests.support.waiting import soon

OWN = {"Sec-Fetch-Site": "same-origin"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FORM = "application/x-www-form-urlencoded"
READ = "read-role-token"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def api(one: Desk) -> Iterator[Api]:
    with serving(one) as running:
        yield running


@pytest.fixture(scope="module")
def printed(one: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    """A process that has printed an address, and the token of that."""
    log = tmp_path_factory.mktemp("printed") / "log"
    with serving(one, log=log, api_tokens="", serve_prefix="/c") as running:
        found = soon(lambda: re.search(r"sign in at \S+/\?token=(\S+)\n", log.read_text()), within_s=WITHIN_S)
        yield running, found[1] if found else ""


def sign_in(client: httpx.Client, token: str = EVERY) -> httpx.Response:
    return client.post("/sign-in", data={"token": token}, headers=OWN)


def reads(client: httpx.Client) -> bool:
    return client.get("/v1/jobs", headers=OWN).status_code == 200


@pytest.mark.parametrize("came_from", ["cross-site", "same-site"])
def test_the_printed_address_signs_in_from_a_link_on_another_site(printed: tuple[Api, str], came_from: str) -> None:
    """A browser that is led on from there sends no strict cookie: a page of ours goes on, which hides its address."""
    api, token = printed
    client = api.client(None)
    answer = client.get("/", params={"token": token}, headers=LINK | {"Sec-Fetch-Site": came_from})
    assert (answer.status_code, answer.headers["referrer-policy"]) == (200, "no-referrer")
    assert '<meta http-equiv="refresh" content="0; url=/c/">' in answer.text
    assert token not in answer.text
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert reads(client)


@pytest.mark.parametrize(
    "sent",
    [
        LINK | {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        LINK | {"Sec-Fetch-Dest": "iframe"},
        LINK | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "https://elsewhere.example"},
        LINK | {"Sec-Purpose": "prefetch;prerender"},
        {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch"},
        {"Purpose": "prefetch"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
def test_what_nobody_has_opened_signs_nobody_in(printed: tuple[Api, str], sent: dict[str, str]) -> None:
    api, token = printed
    client = api.client(None)
    answer = client.get("/", params={"token": token}, headers=sent)
    assert (answer.status_code, dict(client.cookies)) == (403, {})


def test_another_site_cannot_use_up_the_tries_of_who_visits_it(
    one: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("tries") / "log"
    with serving(one, log=log, api_tokens="", serve_rate="0.001") as running:
        found = soon(lambda: re.search(r"sign in at \S+/\?token=(\S+)\n", log.read_text()), within_s=WITHIN_S)
        assert found
        with httpx.Client(base_url=running.url, trust_env=False, timeout=WITHIN_S) as client:
            for sent in (
                LINK | {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
                {"Origin": "https://e.example"},
            ):
                for _ in range(5):
                    assert client.get("/", params={"token": "x"}, headers=sent).status_code == 403
                    answer = client.post("/sign-in", data={"token": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
                    assert answer.status_code == 403
            assert client.get("/", params={"token": found[1]}, headers=LINK).status_code == 200
        wrong = [running.client(None).get("/", params={"token": "x"}).status_code for _ in range(2)]
        assert wrong == [403, 429], "those that somebody opens are counted"


def test_looking_at_an_address_signs_nobody_in(printed: tuple[Api, str]) -> None:
    api, token = printed
    client = api.client(None)
    for given in (token, "wrong"):
        answer = client.head("/", params={"token": given})
        assert (answer.status_code, answer.headers["location"], dict(client.cookies)) == (303, "/c/sign-in", {})


@pytest.mark.parametrize("query", ["token={0}&token={0}", "token={0}&token=", "token=&token={0}", "token=x&token={0}"])
def test_an_address_with_two_tokens_has_none(printed: tuple[Api, str], query: str) -> None:
    api, token = printed
    client = api.client(None)
    answer = client.get(f"/?{query.format(token)}")
    assert (answer.status_code, dict(client.cookies)) == (403, {})


def test_the_path_itself_that_a_proxy_shows_is_the_first_page(printed: tuple[Api, str]) -> None:
    api, token = printed
    with httpx.Client(trust_env=False, headers=OWN) as client:
        assert client.get(api.url).headers["location"] == "/c/sign-in"
        assert client.get(f"{api.url}?token={token}").headers["location"] == "/c/"
        assert "Sign out" in client.get(api.url).text
        assert client.get(f"{api.url}x").status_code == 404


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ([("Content-Type", FORM)] * 2, f"token={EVERY}", "unsupported_media_type"),
        ([("Content-Type", FORM), ("Content-Type", "text/plain")], f"token={EVERY}", "unsupported_media_type"),
        ([("Content-Type", FORM), ("Content-Encoding", "gzip")], f"token={EVERY}", "unsupported_media_type"),
        ([("Content-Type", FORM), ("Content-Encoding", "identity, br")], f"token={EVERY}", "unsupported_media_type"),
        ([], f"token={EVERY}", "unsupported_media_type"),
        ([("Content-Type", FORM)], "token=" + "x" * 5000, "body_too_large"),
    ],
)
def test_what_is_no_form_is_refused_to_a_browser_by_a_page(
    api: Api, headers: list[tuple[str, str]], body: str, code: str
) -> None:
    client = api.client(None)
    given = [*headers, *OWN.items()]
    problem(client.post("/sign-in", content=body, headers=given), code)
    answer = client.post("/sign-in", content=body, headers=[*given, *BROWSER.items()])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.status_code in {413, 415}
    assert 'role="alert"' in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not client.cookies


@pytest.mark.parametrize("body", [f"token={EVERY}&token={EVERY}", f"token={EVERY}&token=", f"token=&token={EVERY}"])
def test_a_form_with_two_tokens_has_none(api: Api, body: str) -> None:
    answer = api.client(None).post("/sign-in", content=body, headers=OWN | {"Content-Type": FORM})
    assert answer.status_code == 403


def test_whatever_goes_wrong_where_one_signs_in_a_browser_is_shown_a_page(
    one: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(one, log=tmp_path_factory.mktemp("slow") / "log", serve_rate="0.001") as running:
        client = running.client(None)
        client.headers.update(BROWSER)
        form = {"data": {"token": "wrong"}, "headers": BROWSER | OWN}
        answers = [client.post("/sign-in", **form) for _ in range(2)]
        answers += [client.get("/sign-in", headers={"Authorization": "Bearer wrong"}), client.delete("/sign-in")]
        answers += [client.post("/sign-in", headers={"Sec-Fetch-Site": "cross-site"})]
    assert [one.status_code for one in answers] == [403, 429, 429, 405, 403]
    assert {one.headers["content-type"] for one in answers} == {"text/html; charset=utf-8"}
    assert all("retry-after" in one.headers for one in answers if one.status_code == 429)
    assert answers[3].headers["allow"] == "GET, HEAD, POST"


def test_who_signs_in_again_and_again_ends_no_session_of_another_and_is_held_to_a_rate(api: Api) -> None:
    other, first = api.client(None), api.client(None)
    assert sign_in(other).status_code == 303
    assert sign_in(first, READ).status_code == 303
    for _ in range(MOST_OF_ONE):
        assert sign_in(api.client(None), READ).status_code == 303
    assert reads(other)
    assert not reads(first), "the one of its own that was not used for longest"


def test_signing_in_counts_as_a_request_of_its_caller(one: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(one, log=tmp_path_factory.mktemp("held") / "log", serve_rate="0.001") as running:
        client = running.client(None)
        assert sign_in(client, READ).status_code == 303
        problem(client.post("/sign-in", data={"token": READ}, headers=OWN), "too_many_requests")
        assert sign_in(running.client(None)).status_code == 303


def test_nothing_that_is_answered_beyond_the_limit_tells_a_right_token_from_a_wrong_one(
    one: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nor does it where one only looks, or puts a guess where it would be hidden if it were right."""
    with (
        serving(one, log=tmp_path_factory.mktemp("beyond") / "log", serve_rate="0.001") as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=WITHIN_S) as client,
    ):
        for nobody in ({}, {"Authorization": "Bearer guess"}):
            assert [client.get("/v1/jobs", headers=nobody).status_code for _ in range(2)] == [401, 429]
        tries = itertools.product(
            ("/healthz", "/readyz", "/", "/sign-in", "/static/icon.svg", "/v1/jobs", "/nowhere", "/v1/jobs?state=TOKEN",
             "/consignments/cancellist", "/?token=TOKEN", "/openapi.json"),
            ({"Authorization": "Bearer TOKEN"}, {"Authorization": "Bearer TOKEN", "X-Request-ID": "x" * 50},
             {"X-Request-ID": "TOKEN"}, {"Authorization": "Bearer guess", "X-Request-ID": "TOKEN"},
             {"ocp-apim-subscription-key": "TOKEN"}),
            ("GET", "PUT"),
        )  # fmt: skip
        for path, headers, method in tries:
            told = [
                client.request(
                    method, path.replace("TOKEN", token),
                    headers={name: value.replace("TOKEN", token) for name, value in headers.items()},
                )
                for token in (READ, "w" * len(READ))
            ]  # fmt: skip
            echoed = [answer.headers["x-request-id"] in headers.values() for answer in told]
            made = [len(answer.headers["x-request-id"]) for answer in told]
            right, wrong = (
                (answer.status_code, sorted(answer.headers), answer.text.replace(answer.headers["x-request-id"], ""))
                for answer in told
            )
            assert (right, echoed[0], made[0]) == (wrong, echoed[1], made[1]), (method, path, headers)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/JOB/events"])
def test_signing_out_ends_the_streams_of_the_session_and_no_others(api: Api, path: str) -> None:
    job = api.client().post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+9h"}).json()["job"]
    mine, others = api.client(None), api.client(None)
    assert sign_in(mine).status_code == sign_in(others).status_code == 303
    asked = {"url": path.replace("JOB", job), "headers": OWN}
    with (
        mine.stream("GET", **asked) as ended,
        others.stream("GET", **asked) as kept,
        api.client().stream("GET", **asked) as token,
    ):
        came = [one.iter_lines() for one in (ended, kept, token)]
        for lines in came:
            assert any(line.startswith("event: ") for line in lines), "it has begun"
        assert mine.post("/sign-out", headers=OWN).status_code == 303
        assert not [line for line in came[0] if line.startswith("event: end")]
        api.client().post(f"/v1/jobs/{job}/abort").raise_for_status()
        for lines in came[1:]:
            assert any(line.startswith("event: end") for line in lines), "it goes on"
