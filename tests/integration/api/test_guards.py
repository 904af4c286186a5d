"""Guards and approvals over HTTP: the settings are the worker's alone, and hold for every way in."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from cancellist.jobs.access import Access
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, problem, serving
from tests.support.commands import desk
from tests.support.waiting import soon

GUARDS = {
    "guard_max_references": "3",
    "accounts__careful__guard_max_references": "100",
    "accounts__careful__approve_above": "3",
}
APPROVER = OF_ROLE[Access.APPROVE]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("guards")) as one, one.started("worker", **GUARDS), serving(one) as running:
        with Redis.from_url(one.url) as redis:
            soon(
                lambda: all(
                    redis.hexists(f"cancellist:account:{a}:state", "safeguards") for a in ("default", "careful")
                ),
                within_s=WITHIN_S,
            )
        yield running


def hand_in(api: Api, count: int, token: str = EVERY, **options: Any) -> httpx.Response:
    return api.client(token).post("/v1/jobs", json={"references": api.desk.fresh(count), **options})


def held(api: Api, token: str = OF_ROLE[Access.SUBMIT]) -> dict[str, Any]:
    job = hand_in(api, 4, token, account="careful").raise_for_status().json()["job"]
    return dict(api.client().get(f"/v1/jobs/{job}").json())


def seen(api: Api, job: str) -> dict[str, Any]:
    return dict(api.client().get(f"/v1/jobs/{job}").json())


def test_a_job_above_a_most_is_refused_and_its_key_stays_free(api: Api) -> None:
    told = problem(hand_in(api, 4, idempotency_key="large"), "guard_refused")
    assert "it names 4 references, and a job may name 3" in told["detail"]
    assert "override" in told["hint"]
    job = hand_in(api, 3, idempotency_key="large").raise_for_status().json()["job"]
    assert api.ended(api.client(), job)["outcomes"] == {"cancelled": 3}


def test_the_platforms_own_calls_are_refused_in_the_platforms_own_form(api: Api) -> None:
    answer = api.client().put("/consignments/cancellist", json=api.desk.fresh(4))
    assert answer.status_code == 400
    assert "a job may name 3" in answer.json()["Message"]


def test_an_entry_of_the_intake_stream_is_answered_with_the_reason(api: Api) -> None:
    with Redis.from_url(api.desk.url) as redis:
        references = ",".join(api.desk.fresh(4))
        redis.xadd("cancellist:intake", {"references": references.replace(",", "\n"), "reply_to": "shop"})
        ((_, ((_, answer),)),) = redis.xread({"cancellist:replies:shop": "0"}, block=WITHIN_S * 1000)
    assert answer[b"error"] == b"guard_refused"


def test_an_override_needs_the_role_and_is_recorded(api: Api) -> None:
    problem(hand_in(api, 4, OF_ROLE[Access.SUBMIT], override="because"), "forbidden")
    problem(hand_in(api, 4, override=" "), "validation")
    job = hand_in(api, 4, override="recall 1147").raise_for_status().json()["job"]
    found = api.ended(api.client(), job)
    assert (found["overridden_by"], found["override_reason"]) == ("every", "recall 1147")
    assert [(one["guard"], one["found"], one["limit"]) for one in found["overrode"]] == [("references", 4, 3)]
    assert found["outcomes"] == {"cancelled": 4}


def test_a_job_that_another_approves_is_done(api: Api) -> None:
    job = held(api)
    approval = job["approval"]
    assert (job["state"], approval["state"], approval["wanted"], approval["count"]) == ("held", "waiting", 1, 4)
    assert approval["lapses_at"] > job["created_at"]
    path, body = f"/v1/jobs/{job['job']}/approve", {"count": 4, "digest": approval["digest"]}
    for wrong in ({**body, "count": 3}, {**body, "count": 0}, {**body, "digest": "0" * 32}, {**body, "digest": ""}):
        problem(api.client(APPROVER).post(path, json=wrong), "approval_mismatch")
    for wrong in ({"count": 4}, {"digest": body["digest"]}, {}, {**body, "count": -4}, {**body, "count": 4.5},
                  {**body, "count": None}, {**body, "digest": None}):  # fmt: skip
        problem(api.client(APPROVER).post(path, json=wrong), "validation")
    assert api.client(APPROVER).post(path, json=body).json()["approval"]["state"] == "given"
    found = api.ended(api.client(), job["job"])
    assert found["outcomes"] == {"cancelled": 4}
    assert [one["by"] for one in found["approval"]["given"]] == ["only-approve"]
    problem(api.client(APPROVER).delete(path), "job_state")


def test_who_approves_reads_the_effect_in_words_with_examples_and_the_host(api: Api) -> None:
    job = held(api)
    path = f"/v1/jobs/{job['job']}"
    problem(api.client(OF_ROLE[Access.READ]).get(f"{path}/approval"), "forbidden")
    found = api.client(APPROVER).get(f"{path}/approval").raise_for_status().json()
    host = api.desk.settings["api_url"].partition("://")[2]
    assert found["hosts"] == [{"host": host, "environment": "sandbox"}]
    assert (found["account"], found["count"], len(found["examples"])) == ("careful", 4, 4)
    assert found["digest"] == job["approval"]["digest"]
    words = "\n".join(found["effect"])
    for said in (
        f"would cancel 4 references on sandbox {host}, account careful", found["examples"][0], "above 3 another person",
        "handed in by: only-submit", "cannot be undone",
    ):  # fmt: skip
        assert said in words
    api.client(APPROVER).post(f"{path}/reject", json={"reason": "seen"}).raise_for_status()
    free = hand_in(api, 1).json()["job"]
    problem(api.client(APPROVER).get(f"/v1/jobs/{free}/approval"), "job_state")


def test_nobody_approves_their_own_job_whatever_their_roles(api: Api) -> None:
    job = held(api, EVERY)
    path, body = f"/v1/jobs/{job['job']}", {"count": 4, "digest": job["approval"]["digest"]}
    problem(api.client(EVERY).post(f"{path}/approve", json=body), "forbidden")
    assert seen(api, job["job"])["approval"]["given"] == []
    answer = api.client(APPROVER).post(f"{path}/reject", json={"reason": "wrong file"})
    assert (answer.json()["state"], answer.json()["outcomes"]) == ("aborted", {"aborted": 4})
    assert answer.json()["approval"]["rejected"]["by"] == "only-approve"
    again = api.client(EVERY).post(f"{path}/retry").raise_for_status().json()["job"]
    assert (seen(api, again)["state"], seen(api, again)["submitted_by"]) == ("held", "every")
    problem(api.client(EVERY).post(f"/v1/jobs/{again}/approve", json=body), "forbidden")


def test_a_request_does_not_wait_for_approval(api: Api) -> None:
    began = time.monotonic()
    body = {"references": api.desk.fresh(4), "account": "careful"}
    answer = api.client().post("/v1/jobs", json=body, headers={"Prefer": "wait=30"})
    assert (answer.status_code, answer.json()["approval"]["state"]) == (202, "waiting")
    assert time.monotonic() - began < 20  # else it waited for what may take a day
