"""Plans over HTTP: handed in, read by a worker, and followed by a job."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import OF_ROLE, WITHIN_S, Api, problem, serving
from tests.support.commands import desk as a_desk
from tests.support.waiting import soon

WAIT = {"Prefer": f"wait={WITHIN_S}"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A `serve` over a small platform, whose workers each test starts itself."""
    with a_desk(tmp_path_factory.mktemp("plans"), consignments=3000) as desk:
        desk.settings["lease_seconds"] = "1"
        with serving(desk) as api:
            yield api


def planned(client: httpx.Client, references: list[str], **more: Any) -> Any:
    answer = client.post("/v1/plans", json={"references": references, **more}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def until_read(api: Api, count: int) -> None:
    soon(
        lambda: sum(call["endpoint"] == "consignment" for call in api.desk.platform.calls()),
        lambda calls: calls >= count,
        WITHIN_S,
    )


@contextlib.contextmanager
def slowly(api: Api) -> Iterator[None]:
    """A platform that takes its time."""
    api.desk.platform.send("PUT", "/sandbox/settings", {"latency_ms": 400})
    try:
        yield
    finally:
        api.desk.platform.send("PUT", "/sandbox/settings", {"latency_ms": 2})


def test_a_plan_waits_for_a_worker_and_outlives_the_one_that_is_killed(own: Api) -> None:
    client, references = own.client(), [*own.desk.fresh(20), *own.desk.fresh(4, "Manifested")]
    answer = client.post("/v1/plans", json=references, params={"deadline": "+9h"})
    assert answer.status_code == 202
    waiting, where = answer.json(), answer.headers["location"]
    assert (waiting["state"], waiting["references"], where) == ("waiting", 24, f"/v1/plans/{waiting['plan']}")
    early = problem(client.post("/v1/jobs", json=references, params={"plan": waiting["plan"]}), "stale_plan")
    assert "its report is not there yet" in early["detail"]
    with slowly(own), own.desk.started("worker", max_concurrent_calls="2") as killed:
        until_read(own, 3)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert client.get(where).status_code == 202
    with own.desk.started("worker"):
        report = client.get(where, headers=WAIT)
        assert report.status_code == 200
        found = report.json()
        counts = found["counts"]
        assert (counts["read"], counts["open"], counts["manifested"], counts["unknown"]) == (24, 20, 4, 0)
        assert (found["made_by"], found["time"]["deadline_met"], found["job"]) == ("every", True, None)
        assert found["platform"] == own.desk.platform.url.removeprefix("http://")
        assert "preference-applied" in report.headers
        made = client.post("/v1/jobs", json=references[::-1], params={"plan": found["plan"]})
        assert made.status_code == 202
        assert client.get(where).json()["job"] == made.json()["job"]
        # a plan of the command line is shown over HTTP, too, and is as good
        file = own.desk.file("planned.txt", "\n".join(own.desk.fresh(2)))
        token = own.desk.ok("plan", file, "--json").document["plan"]
        assert client.get(f"/v1/plans/{token}").json()["counts"]["open"] == 2
        body = file.read_text()
        text = {"Content-Type": "text/plain"}
        assert client.post("/v1/jobs", content=body, params={"plan": token}, headers=text).status_code == 202
    log = own.log.read_text()
    assert token not in log
    assert found["plan"] not in log
    assert "/v1/plans/***" in log


def test_a_burst_reads_the_plans_that_wait(own: Api) -> None:
    client = own.client()
    places = [client.post("/v1/plans", json=own.desk.fresh(2)).headers["location"] for _ in range(2)]
    own.desk.drain()
    assert [client.get(where).json()["counts"]["open"] for where in places] == [2, 2]


def test_other_content_another_count_and_a_used_plan_are_refused_by_every_way(api: Api, client: httpx.Client) -> None:
    references = api.desk.fresh(6)
    token = planned(client, references)["plan"]
    other = client.post("/v1/jobs", json={"references": references[1:], "plan": token})
    assert "made of 6 references, and these are 5" in problem(other, "stale_plan")["detail"]
    facade = client.put("/consignments/cancellist", json=references[1:], headers={"Cancellist-Plan": token})
    assert (facade.status_code, facade.json()["Code"]) == (409, "stale_plan")
    wrong = client.post("/v1/jobs", json=references, params={"plan": token, "expect_count": 7})
    assert "7 references were expected, and there are 6" in problem(wrong, "count_mismatch")["detail"]
    problem(client.post("/v1/plans", json={"references": references, "expect_count": 7}), "count_mismatch")
    key = {"Idempotency-Key": "planned-once"}
    order = {"references": references, "plan": token, "expect_count": 6}
    made = client.post("/v1/jobs", json=order, headers=key)
    assert made.status_code == 202
    again = client.post("/v1/jobs", json=order, headers=key)
    assert (again.json()["job"], again.headers["idempotent-replayed"]) == (made.json()["job"], "true")
    used = client.post("/v1/jobs", json=references, params={"plan": token})
    assert f"used before, by job {made.json()['job']}" in problem(used, "stale_plan")["detail"]
    entry = {"references": "\n".join(references), "plan": token, "reply_to": "plans"}
    assert _entered(api, entry) == "stale_plan"
    assert _entered(api, {"references": references[0], "expect_count": "2", "reply_to": "plans"}) == "count_mismatch"


def _entered(api: Api, entry: dict[str, str]) -> str:
    """The error by which an entry of the intake stream is answered."""
    from redis import Redis

    with Redis.from_url(api.desk.url, decode_responses=True) as redis:
        at = redis.xadd("cancellist:intake", entry)

        def answers() -> list[Any]:
            given: Any = redis.xrange("cancellist:replies:plans")
            return [fields for _, fields in given if fields["entry"] == at]

        return str(soon(answers, within_s=WITHIN_S)[0].get("error"))


def test_the_facade_follows_a_plan(api: Api, client: httpx.Client) -> None:
    references = api.desk.fresh(3)
    token = planned(client, references)["plan"]
    done = client.put("/consignments/cancellist", json=references[::-1], headers={"Cancellist-Plan": token})
    assert [one["IsSuccess"] for one in done.json()] == [True] * 3


def test_who_may_not_submit_makes_and_sees_no_plan(api: Api, client: httpx.Client) -> None:
    for role, token in OF_ROLE.items():
        if role != "submit":
            for answer in (api.client(token).post("/v1/plans", json=["x"]), api.client(token).get("/v1/plans/pl_0")):
                problem(answer, "forbidden")
    for token in ("pl_" + 32 * "0", "pl_", "x" * 300):
        problem(client.get(f"/v1/plans/{token}"), "unknown_plan")
    problem(client.post("/v1/plans", json=["rubbish"]), "no_references")
    problem(client.post("/v1/plans", json={"references": api.desk.fresh(1), "account": "north"}), "validation")
    problem(client.post("/v1/plans", json=api.desk.fresh(1), params={"deadline": "2020-01-01T00:00:00Z"}), "input")


def test_a_plan_that_has_expired_is_gone(own: Api, tmp_path: Path) -> None:
    with serving(own.desk, log=tmp_path / "serve.log", plan_keep="0.2s") as api:
        client, references = api.client(), api.desk.fresh(2)
        answer = client.post("/v1/plans", json=references)
        seen = soon(lambda: client.get(answer.headers["location"]), lambda found: found.status_code != 202, WITHIN_S)
        problem(seen, "unknown_plan")
        late = client.post("/v1/jobs", json=references, params={"plan": answer.json()["plan"]})
        assert "it has expired, or was never made" in problem(late, "stale_plan")["detail"]
