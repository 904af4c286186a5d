"""Failure stop and hold over HTTP."""

import time
from typing import Any

import httpx
import pytest

from tests.support.api import OF_ROLE, WITHIN_S, Api
from tests.support.waiting import soon


def halted(client: httpx.Client, job: str) -> dict[str, Any]:
    """The job, once it has halted."""
    return dict(soon(lambda: client.get(f"/v1/jobs/{job}").json(), lambda seen: seen["state"] == "halted", WITHIN_S))


def refused(api: Api) -> list[str]:
    """References of which the platform refuses 30, all at the front; then 20 that it cancels."""
    return [*api.desk.fresh(30, standing="Manifested"), *api.desk.fresh(20)]


def test_a_job_that_halts_says_why_goes_on_and_counts_anew(api: Api) -> None:
    client = api.client()
    answer = client.post("/v1/jobs", json={"references": refused(api), "max_refused": 5, "max_unconfirmed": "20%"})
    seen = halted(client, answer.raise_for_status().json()["job"])
    job = seen["job"]
    assert (seen["max_refused"], seen["max_unconfirmed"]) == (["5"], ["20%"])
    assert seen["halted"]["found"] > 5
    assert seen["halted"] | {"counted": "refused", "limit": "5", "among": "job"} == seen["halted"]
    assert "more than the limit of 5" in seen["halted"]["why"]
    assert api.client(OF_ROLE["read"]).post(f"/v1/jobs/{job}/continue").status_code == 403
    assert client.post(f"/v1/jobs/{job}/pause").json()["type"] == "/problems/job_state"
    while client.post(f"/v1/jobs/{job}/continue").status_code == 200:
        seen = soon(
            lambda: client.get(f"/v1/jobs/{job}").json(),
            lambda found: found["state"] in {"halted", "completed"},
            WITHIN_S,
        )
    assert seen["halted"] is None
    assert seen["outcomes"] == {"manifested": 30, "cancelled": 20}
    assert client.post(f"/v1/jobs/{job}/continue").json()["type"] == "/problems/job_state"


def test_a_request_does_not_wait_on_a_job_that_has_halted(api: Api) -> None:
    began = time.monotonic()
    answer = api.client().post(
        "/v1/jobs", json={"references": refused(api), "max_refused": 0}, headers={"Prefer": "wait=30"}
    )
    assert (answer.status_code, answer.json()["state"]) == (202, "halted")
    assert time.monotonic() - began < 20  # else it waited for what does not come


@pytest.mark.parametrize("given", ["many", "-1", "101%", "5 %%"])
def test_a_limit_that_is_none_is_refused(client: httpx.Client, given: str) -> None:
    answer = client.post("/v1/jobs", json={"references": ["EC-VC4-FBM-8GZ"], "max_refused": given})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["max_refused"]


# a guard whose value is lost, or is of another kind, guards nothing


GUARDS = ["hold", "max_refused", "max_unconfirmed", "canary", "expect_count", "plan", "host", "override"]


@pytest.mark.parametrize("field", GUARDS)
@pytest.mark.parametrize("lost", ["", " ", "\u200b\u2060\x07", True])
def test_a_guard_without_its_value_is_refused(api: Api, field: str, lost: object) -> None:
    answer = api.client().post("/v1/jobs", json={"references": api.desk.fresh(1), field: lost})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "headers",
    [
        [("Cancellist-Plan", "")],
        [("Cancellist-Plan", "pl_1"), ("cancellist-plan", "pl_2")],
        [("Cancellist-Plans", "pl_1")],
        [("Cancellist-Expect-Count", "1")],
    ],
)
@pytest.mark.parametrize("path", ["/consignments/cancellist", "/consignments/{one}/cancel"])
def test_a_guard_of_the_platforms_own_calls_that_is_not_understood_is_refused(
    api: Api, headers: list[tuple[str, str]], path: str
) -> None:
    (one,) = api.desk.fresh(1)
    whole = {"json": [one]} if path.endswith("cancellist") else {}
    answer = api.client().put(path.format(one=one), headers=headers, **whole)
    assert (answer.status_code, answer.json()["Code"]) == (400, "invalid_request")
    assert "ancellist-" in answer.json()["Message"]
    assert api.desk.record([one])[one]["cancelled_by_call"] is None


# hold


def test_who_handed_it_in_can_take_back_a_held_job_and_nobody_else_who_may_only_submit(api: Api) -> None:
    client, submitter = api.client(), api.client(OF_ROLE["submit"])
    references = api.desk.fresh(3)
    own = submitter.post("/v1/jobs", json={"references": references, "hold": "5m"}).raise_for_status().json()["job"]
    others = client.post("/v1/jobs", json={"references": references, "hold": "5m"}).raise_for_status().json()["job"]
    seen = client.get(f"/v1/jobs/{own}").json()
    assert (seen["state"], seen["submitted_by"]) == ("held", "only-submit")
    assert seen["hold_until"] > seen["created_at"]
    assert submitter.post(f"/v1/jobs/{others}/abort").status_code == 403
    assert api.client(OF_ROLE["read"]).post(f"/v1/jobs/{own}/abort").status_code == 403
    assert submitter.post(f"/v1/jobs/{own}/abort").json()["outcomes"] == {"aborted": 3}
    assert submitter.post(f"/v1/jobs/{own}/abort").status_code == 403  # it is held no more
    assert client.post(f"/v1/jobs/{others}/abort").json()["state"] == "aborted"


def test_a_job_of_their_own_that_has_begun_is_not_theirs_to_end(api: Api) -> None:
    submitter = api.client(OF_ROLE["submit"])
    api.client().post("/v1/accounts/default/pause").raise_for_status()
    job = submitter.post("/v1/jobs", json=api.desk.fresh(3)).raise_for_status().json()["job"]
    assert submitter.post(f"/v1/jobs/{job}/abort").status_code == 403
    api.client().post("/v1/accounts/default/resume").raise_for_status()


@pytest.mark.parametrize("given", ["soon", "-5m", "5 parsecs"])
def test_a_hold_that_is_no_span_is_refused(client: httpx.Client, given: str) -> None:
    answer = client.post("/v1/jobs", json={"references": ["EC-VC4-FBM-8GZ"], "hold": given})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["hold"]
