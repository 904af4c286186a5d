"""Jobs that are changed while they run, and handed in again once they have ended, over HTTP."""

import json
import time
from typing import Any

import httpx
import pytest

from cancellist.api import schemas
from tests.support.api import Api, problem

PATCH = {"Content-Type": "application/merge-patch+json"}


def held(api: Api, client: httpx.Client, count: int = 2, **query: str) -> str:
    """A job that waits for its start."""
    query = {"start_at": "+1h"} | query
    return str(client.post("/v1/jobs", json=api.desk.fresh(count), params=query).json()["job"])


def of_the_job_alone(client: httpx.Client, job: str) -> dict[str, Any]:
    """Its document without what other jobs change: the state of its account, and the workers."""
    document = client.get(f"/v1/jobs/{job}").json()
    others = {"workers", "calls_in_flight", "all_stopped"}
    return {name: value for name, value in document.items() if name not in others and not name.startswith("account_")}


@pytest.fixture
def aborted(api: Api, client: httpx.Client) -> str:
    """A job of three whose references are all aborted."""
    job = held(api, client, 3, reason="strike", requested_by="shop", priority="bulk")
    client.post(f"/v1/jobs/{job}/abort").raise_for_status()
    return job


# PATCH


def test_priority_and_deadline_are_changed_and_what_is_left_out_stays(api: Api, client: httpx.Client) -> None:
    job = held(api, client, deadline="+5h")
    before = of_the_job_alone(client, job)
    answer = client.patch(f"/v1/jobs/{job}", json={"priority": "urgent"})
    schemas.Job.model_validate(answer.json())
    assert of_the_job_alone(client, job) == before | {"priority": "urgent"}
    assert answer.json().keys() > before.keys()
    again = client.get(f"/v1/jobs/{job}")
    assert (answer.headers["etag"] == again.headers["etag"]) == (answer.content == again.content)
    later = client.patch(f"/v1/jobs/{job}", content=b'{"deadline": "+2h"}', headers=PATCH).json()
    assert (later["priority"], later["deadline"] < before["deadline"]) == ("urgent", True)
    assert client.patch(f"/v1/jobs/{job}", json={"deadline": None}).json()["deadline"] is None
    client.post(f"/v1/jobs/{job}/abort").raise_for_status()
    problem(client.patch(f"/v1/jobs/{job}", json={"priority": "bulk"}), "job_state")
    problem(client.patch("/v1/jobs/nosuchjob", json={"priority": "bulk"}), "unknown_job")


def test_who_has_an_old_tag_changes_nothing_and_a_running_job_does_not_age_it(api: Api, client: httpx.Client) -> None:
    job = held(api, client)
    path, first = f"/v1/jobs/{job}", client.get(f"/v1/jobs/{job}").headers["etag"]
    client.post(f"{path}/pause").raise_for_status()  # the document is another, but not what can be changed
    second = client.patch(path, json={"priority": "urgent"}, headers={"If-Match": f'"x", {first}'}).headers["etag"]
    for stale in (first, f"W/{second}", '"x"', "nonsense", ""):
        problem(client.patch(path, json={"priority": "bulk"}, headers={"If-Match": stale}), "job_changed")
    assert client.get(path).json()["priority"] == "urgent"
    for good in (second, "*"):
        client.patch(path, json={"priority": "bulk"}, headers={"If-Match": good}).raise_for_status()


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ("{}", None, "validation"),
        ('{"priority": null}', None, "validation"),
        ('{"priority": "now"}', None, "validation"),
        ('{"priority": "bulk", "priority": "urgent"}', None, "validation"),
        ('{"reason": "other"}', None, "validation"),
        ('{"deadline": 7}', None, "validation"),
        ('{"deadline": "2999-01-01"}', None, "validation"),
        ("[]", None, "validation"),
        ("nonsense", None, "input"),
        ("", None, "input"),
        ('{"deadline": "2020-01-01T00:00:00Z"}', None, "input"),
        ('{"deadline": "+30m"}', None, "input"),
        ('{"priority": "urgent"}', "text/plain", "unsupported_media_type"),
    ],
)
def test_what_is_no_change_is_refused_and_changes_nothing(
    api: Api, client: httpx.Client, body: str, kind: str | None, code: str
) -> None:
    job = held(api, client)
    before = of_the_job_alone(client, job)
    answer = client.patch(f"/v1/jobs/{job}", content=body, headers={"Content-Type": kind or "application/json"})
    found = problem(answer, code)
    assert "--" not in found["detail"], "no option of the command line"
    assert of_the_job_alone(client, job) == before


# retry


def test_what_did_not_succeed_is_handed_in_again_and_both_jobs_name_each_other(
    api: Api, client: httpx.Client, aborted: str
) -> None:
    answer = client.post(f"/v1/jobs/{aborted}/retry", params={"priority": "urgent"}, headers={"Prefer": "wait=30"})
    assert answer.status_code == 200
    new = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{new['job']}"
    assert (new["state"], new["outcomes"], new["retry_of"]) == ("completed", {"cancelled": 3}, aborted)
    assert (new["reason"], new["requested_by"], new["priority"]) == ("strike", "every", "urgent")
    assert client.get(f"/v1/jobs/{aborted}").json()["retried_by"] == [new["job"]]
    again = client.post(f"/v1/jobs/{aborted}/retry")
    assert (again.status_code, again.json()["job"], again.headers["idempotent-replayed"]) == (202, new["job"], "true")
    found = problem(client.post(f"/v1/jobs/{aborted}/retry", params={"reason": "other"}), "retried_before")
    assert new["job"] in found["detail"]
    problem(client.post(f"/v1/jobs/{new['job']}/retry"), "no_references")


def test_a_retry_is_of_the_outcomes_that_are_named_at_its_own_time(api: Api, client: httpx.Client) -> None:
    good, unknown = api.desk.fresh(2), [f"EC-ZZZ-ZZZ-{n:03d}" for n in range(3)]
    job = client.post("/v1/jobs", json=[*good, *unknown]).json()["job"]
    assert api.ended(client, job)["outcomes"] == {"cancelled": 2, "not_found": 3}
    problem(client.post(f"/v1/jobs/{job}/retry"), "no_references")
    query = {"outcome": "not_found,failed", "start_at": "+1h", "requested_by": "j.doe"}
    made = client.post(f"/v1/jobs/{job}/retry", params=query)
    assert (made.status_code, made.json()["state"], made.json()["total"]) == (202, "held", 3)
    assert client.get(made.headers["location"]).json()["requested_by"] == "j.doe"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"outcome": "cancelled"}, "validation"),
        ({"outcome": "failed,manifested"}, "validation"),
        ({"outcome": "vanished"}, "validation"),
        ({"outcome": ""}, "validation"),
        ({"account": "other"}, "validation"),
        ({"deadline": "soon"}, "validation"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "input"),
        ({"outcome": "failed"}, "no_references"),
    ],
)
def test_what_cannot_be_retried_makes_nothing(
    client: httpx.Client, aborted: str, query: dict[str, str], code: str
) -> None:
    problem(client.post(f"/v1/jobs/{aborted}/retry", params=query), code)
    assert client.get(f"/v1/jobs/{aborted}").json()["retried_by"] == []


def test_a_job_that_goes_on_is_not_retried(api: Api, client: httpx.Client) -> None:
    problem(client.post(f"/v1/jobs/{held(api, client)}/retry"), "job_state")
    problem(client.post("/v1/jobs/nosuchjob/retry"), "unknown_job")


# with a worker


def test_a_bulk_job_that_is_made_urgent_overtakes_what_waits(api: Api, client: httpx.Client) -> None:
    client.post("/v1/accounts/default/pause").raise_for_status()
    ahead = client.post("/v1/jobs", json=api.desk.fresh(600)).json()["job"]
    bulk = client.post("/v1/jobs", json=api.desk.fresh(100), params={"priority": "bulk"}).json()["job"]
    client.patch(f"/v1/jobs/{bulk}", json={"priority": "urgent"}).raise_for_status()
    client.post("/v1/accounts/default/resume").raise_for_status()
    first, last = api.ended(client, bulk), api.ended(client, ahead)
    assert first["finished_at"] <= last["finished_at"]
    assert first["started_at"] <= last["started_at"]


def test_a_deadline_that_is_brought_forward_expires_what_no_call_took(api: Api, client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=api.desk.fresh(50), params={"start_at": "+1h", "deadline": "+5h"}).json()["job"]
    client.post(f"/v1/jobs/{job}/pause").raise_for_status()
    other = client.post("/v1/jobs", json=api.desk.fresh(50), params={"priority": "bulk"}).json()["job"]
    client.post("/v1/accounts/default/pause").raise_for_status()
    waits = client.post("/v1/jobs", json=api.desk.fresh(50)).json()["job"]
    began = time.monotonic()
    answer = client.patch(f"/v1/jobs/{waits}", json={"deadline": "+0.5s"})
    assert answer.status_code == 200, answer.text
    ended = api.ended(client, waits)
    assert (ended["outcomes"], ended["state"]) == ({"expired": 50}, "completed")
    assert time.monotonic() - began < 10
    client.post("/v1/accounts/default/resume").raise_for_status()
    assert api.ended(client, other)["outcomes"] == {"cancelled": 50}
    assert json.loads(client.get(f"/v1/jobs/{job}").text)["state"] == "paused"
