"""Jobs and results as they are read over HTTP: pages, filters, tags, streams, and the same documents as everywhere."""

import csv
import io
import json
import re
from collections import Counter
from typing import Any

import httpx
import pytest

from cancellist.api import account_schemas, schemas
from cancellist.api.problem_kinds import KINDS
from tests.support.api import Api, problem


@pytest.fixture(scope="module")
def ended(api: Api) -> tuple[str, list[str]]:
    """A job of 250 that has ended, some of them refused, and its references."""
    references = [*api.desk.fresh(200), *api.desk.fresh(20, "Manifested"), *api.desk.fresh(30, "Cancelled")]
    client = api.client()
    job = client.post("/v1/jobs", json=references, params={"reason": "many"}).json()["job"]
    api.ended(client, job)
    return job, references


MOVING = frozenset(
    {"account_limit", "account_calls_per_second", "account_list_size", "limit", "calls_per_second", "list_size"}
)
"""What flow control moves, also between two looks."""


def standing(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in MOVING}


def test_the_documents_are_those_of_the_commands_and_fit_the_description(
    api: Api, client: httpx.Client, ended: tuple[str, list[str]]
) -> None:
    job, _ = ended
    over_http = client.get(f"/v1/jobs/{job}").json()
    schemas.Job.model_validate(over_http)
    told = api.desk.ok("status", job, "--json").document
    assert list(over_http) == list(told)
    assert standing(over_http) == standing(told)
    accounts = client.get("/v1/accounts").json()
    account_schemas.Accounts.model_validate(accounts)
    told = api.desk.ok("accounts", "--json").document
    assert [standing(one) for one in accounts["accounts"]] == [standing(one) for one in told["accounts"]]
    listed = client.get("/v1/jobs", params={"limit": 500}).json()
    schemas.Jobs.model_validate(listed)
    told = api.desk.ok("jobs", "--json", "--limit", 500).document
    assert [standing(one) for one in listed["jobs"]] == [standing(one) for one in told["jobs"]]


def test_pages_of_results_hold_each_once_and_in_order(client: httpx.Client, ended: tuple[str, list[str]]) -> None:
    job, references = ended
    whole = [json.loads(line) for line in stream(client, job, "application/x-ndjson").splitlines()]
    assert Counter(one["reference"] for one in whole) == Counter(references)
    for limit in (1, 7, 100, 250, 1000):
        found: list[object] = []
        cursor: str | None = None
        while True:
            page = client.get(f"/v1/jobs/{job}/results", params={"limit": limit} | cursor_of(cursor)).json()
            schemas.Results.model_validate(page)
            found += page["results"]
            cursor = page["next"]
            assert page["complete"] == (cursor is None)
            if cursor is None:
                break
            assert len(page["results"]) == limit
        assert found == whole


def cursor_of(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def stream(client: httpx.Client, job: str, form: str, **query: str) -> str:
    answer = client.get(f"/v1/jobs/{job}/results", headers={"Accept": form}, params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == form
    assert answer.headers["cancellist-results-gone"] == "0"
    return answer.text


def test_only_the_outcomes_that_are_asked_for_are_given(client: httpx.Client, ended: tuple[str, list[str]]) -> None:
    job, _ = ended
    wanted = "manifested,already_cancelled"
    found: list[dict[str, str]] = []
    cursor: str | None = None
    while not found or cursor:
        query = {"outcome": wanted, "limit": "9"} | cursor_of(cursor)
        page = client.get(f"/v1/jobs/{job}/results", params=query).json()
        found += page["results"]
        cursor = page["next"]
    assert Counter(one["outcome"] for one in found) == {"manifested": 20, "already_cancelled": 30}
    lines = stream(client, job, "application/x-ndjson", outcome=wanted).splitlines()
    assert [json.loads(line) for line in lines] == found
    rows = list(csv.DictReader(io.StringIO(stream(client, job, "text/csv", outcome=wanted))))
    assert [row["reference"] for row in rows] == [one["reference"] for one in found]


def test_streams_are_what_the_command_writes(api: Api, client: httpx.Client, ended: tuple[str, list[str]]) -> None:
    job, _ = ended
    for form, name in (("text/csv", "csv"), ("application/x-ndjson", "jsonl")):
        assert stream(client, job, form) == api.desk.ok("results", job, "--format", name).out


def test_a_cursor_stays_good_while_the_job_goes_on(api: Api, client: httpx.Client) -> None:
    first, rest = api.desk.fresh(5), api.desk.fresh(30)
    job = client.post("/v1/jobs", json=[*first, *rest], params={"start_at": "+1h"}).json()["job"]
    page = client.get(f"/v1/jobs/{job}/results").json()
    assert (page["results"], page["complete"]) == ([], False)
    cursor = page["next"]
    assert cursor
    client.post(f"/v1/jobs/{job}/abort").raise_for_status()
    api.ended(client, job)
    later = client.get(f"/v1/jobs/{job}/results", params={"cursor": cursor}).json()
    assert {one["outcome"] for one in later["results"]} == {"aborted"}
    assert (len(later["results"]), later["next"], later["complete"]) == (35, None, True)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/*", "text/csv"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/html, application/x-ndjson;q=0.2", "application/x-ndjson"),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(
    client: httpx.Client, ended: tuple[str, list[str]], accept: str, form: str
) -> None:
    answer = client.get(f"/v1/jobs/{ended[0]}/results", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == form


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/jobs/{job}/results", {"cursor": "nonsense"}, "validation"),
        ("/v1/jobs/{job}/results", {"cursor": "4pyTLjE"}, "validation"),
        ("/v1/jobs/{job}/results", {"outcome": "fine"}, "validation"),
        ("/v1/jobs/{job}/results", {"limit": "0"}, "validation"),
        ("/v1/jobs/{job}/results", {"page": "2"}, "validation"),
        ("/v1/jobs", {"cursor": "nonsense"}, "validation"),
        ("/v1/jobs", {"state": "gone"}, "validation"),
        ("/v1/jobs", {"since": "yesterday"}, "validation"),
        ("/v1/jobs", {"limit": "501"}, "validation"),
        ("/v1/jobs/nosuchjob", {}, "unknown_job"),
        ("/v1/jobs/nosuchjob/results", {}, "unknown_job"),
        ("/v1/jobs/much-too-long-for-an-id", {}, "unknown_job"),
        ("/v1/jobs/%00", {}, "unknown_job"),
        ("/v1/jobs/a%2Fb", {}, "not_found"),
        ("/v2/jobs", {}, "not_found"),
    ],
)
def test_what_cannot_be_read_is_a_problem(
    client: httpx.Client, ended: tuple[str, list[str]], path: str, query: dict[str, str], code: str
) -> None:
    problem(client.get(path.format(job=ended[0]), params=query), code)


def test_a_stream_has_no_pages_and_an_unknown_form_none_at_all(
    client: httpx.Client, ended: tuple[str, list[str]]
) -> None:
    path = f"/v1/jobs/{ended[0]}/results"
    cursor = client.get(path, params={"limit": 1}).json()["next"]
    problem(client.get(path, params={"cursor": cursor}, headers={"Accept": "text/csv"}), "validation")
    problem(client.get(path, headers={"Accept": "application/xml"}), "not_acceptable")


@pytest.mark.parametrize("path", ["/v1/jobs/{job}", "/v1/jobs?requested_by=nobody-at-all"])
def test_what_has_not_changed_is_not_sent_again(client: httpx.Client, ended: tuple[str, list[str]], path: str) -> None:
    path = path.format(job=ended[0])
    tag = client.get(path).headers["etag"]
    assert not tag.startswith("W/")
    for given in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = client.get(path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_jobs_come_in_pages_newest_first_each_once(api: Api, client: httpx.Client) -> None:
    made = [
        client.post("/v1/jobs", json=api.desk.fresh(1), params={"requested_by": "pager"}).json()["job"]
        for _ in range(7)
    ]
    found: list[str] = []
    query: dict[str, object] = {"requested_by": "pager", "limit": 3}
    while True:
        page = client.get("/v1/jobs", params=query).json()  # type: ignore[arg-type]
        found += [job["job"] for job in page["jobs"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == made[::-1]


def test_jobs_are_found_by_what_they_are(api: Api, client: httpx.Client) -> None:
    held = client.post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+1h"}).json()["job"]
    made_at = client.get(f"/v1/jobs/{held}").json()["created_at"]

    def found(**query: str) -> set[str]:
        page = client.get("/v1/jobs", params={"limit": 500, **query}).json()
        assert page["next"] is None
        return {job["job"] for job in page["jobs"]}

    assert held in found(state="held,queued")
    assert held not in found(state="completed")
    assert found(since=made_at, state="held") == {held}
    assert held in found(account="default")
    assert found(account="nobody") == set()


def test_a_job_is_paused_resumed_and_aborted(api: Api, client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=api.desk.fresh(2), params={"start_at": "+1h"}).json()["job"]
    assert client.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "paused"
    assert client.post(f"/v1/jobs/{job}/resume").json()["state"] in {"held", "queued"}
    assert client.post(f"/v1/jobs/{job}/abort").json()["job"] == job
    assert api.ended(client, job)["state"] in {"aborted", "completed"}
    problem(client.post(f"/v1/jobs/{job}/pause"), "job_state")
    problem(client.post("/v1/jobs/nosuchjob/abort"), "unknown_job")


def test_an_account_is_paused_and_goes_on(api: Api, client: httpx.Client) -> None:
    paused = client.post("/v1/accounts/default/pause").json()
    account_schemas.Account.model_validate(paused)
    assert paused["state"] == "paused"
    job = client.post("/v1/jobs", json=api.desk.fresh(2)).json()["job"]
    assert client.get(f"/v1/jobs/{job}").json()["account_paused"] is True
    assert client.post("/v1/accounts/default/resume").json()["state"] == "running"
    assert api.ended(client, job)["outcomes"] == {"cancelled": 2}
    problem(client.post("/v1/accounts/nobody/pause"), "not_found")
    problem(client.post("/v1/accounts/nobody/resume"), "not_found")


def test_how_the_process_stands_is_told_without_a_token(api: Api) -> None:
    anybody = api.client(None)
    assert anybody.get("/healthz").json() == {"status": "alive"}
    assert anybody.get("/readyz").json() == {"status": "ready"}
    page = anybody.get("/docs")
    assert "POST" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "cancellist-results-gone" not in anybody.get("/", follow_redirects=True).headers
    assert anybody.get("/").headers["location"] == "/sign-in"


def test_the_type_of_each_problem_is_the_address_of_a_page_that_names_it(api: Api) -> None:
    anybody = api.client(None)
    for kind in KINDS.values():
        page = anybody.get(kind.type)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert page.text == f"{kind.code} ({kind.status}): {kind.title}\n\n{kind.text}\n"
    problem(anybody.get("/problems/nonsense"), "not_found")
    declared = set(re.findall(r"/problems/[a-z_]+", anybody.get("/openapi.json").text))
    assert declared <= {kind.type for kind in KINDS.values()}
    assert KINDS.keys() <= set(re.findall(r'<tr id="(\w+)">', anybody.get("/docs").text))
