"""References, consumer groups and Parquet over HTTP."""

import asyncio
import contextlib
import fcntl
import io
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from redis import Redis

from cancellist.api import consumer_schemas, schemas
from cancellist.jobs.access import Access
from tests.support.api import OF_ROLE, Api, problem, serving
from tests.support.waiting import until

STREAM = "cancellist:results"


@pytest.fixture(scope="module")
def ended(api: Api) -> tuple[str, list[str]]:
    """A job of 60 that has ended, some of them refused, and its references."""
    references = [*api.desk.fresh(40), *api.desk.fresh(20, "Manifested")]
    client = api.client()
    query = {"reason": "late", "requested_by": "anna"}
    job = client.post("/v1/jobs", json=references, params=query).raise_for_status().json()["job"]
    api.ended(client, job)
    return job, references


def test_every_job_that_named_a_reference_is_found_newest_first(
    api: Api, client: httpx.Client, ended: tuple[str, list[str]]
) -> None:
    job, references = ended
    held = client.post("/v1/jobs", json=references[-1:], params={"start_at": "+1h"}).json()["job"]
    found = client.get(f"/v1/references/{references[-1].lower()}").json()
    schemas.References.model_validate(found)
    newest, oldest = found.pop("jobs")
    assert found == {"reference": references[-1], "next": None, "complete": True, "gap": None, "unsearched": []}
    assert (newest["job"], newest["state"], newest["outcome"], newest["result"]) == (held, "held", None, None)
    assert (oldest["job"], oldest["state"], oldest["reason"], oldest["requested_by"]) == (
        job, "completed", "late", "anna",
    )  # fmt: skip
    results = {one["reference"]: one for one in client.get(f"/v1/jobs/{job}/results").json()["results"]}
    assert oldest["result"] == results[references[-1]]
    assert oldest["outcome"] == "manifested"
    over_http = client.get(f"/v1/references/{references[-1]}").json()
    del over_http["next"]
    assert over_http == api.desk.ok("find", references[-1], "--json").document
    page = client.get(f"/v1/references/{references[-1]}", params={"limit": 1}).json()
    assert [one["job"] for one in page["jobs"]] == [held]
    last = client.get(f"/v1/references/{references[-1]}", params={"limit": 1, "cursor": page["next"]}).json()
    assert ([one["job"] for one in last["jobs"]], last["next"]) == ([job], None)
    client.post(f"/v1/jobs/{held}/abort").raise_for_status()


def test_a_reference_that_no_job_named_has_an_empty_list(api: Api, client: httpx.Client) -> None:
    found = client.get(f"/v1/references/{api.desk.fresh(1)[0]}").json()
    assert (found["jobs"], found["complete"]) == ([], True)


@pytest.mark.parametrize(
    "path", ["EC-1", "%20", "EC-000-05D-1NS%00", "EC-000-05D-1NS?cursor=x", "EC-000-05D-1NS?limit=0"]
)
def test_what_is_no_reference_or_no_page_is_refused(client: httpx.Client, path: str) -> None:
    problem(client.get(f"/v1/references/{path}"), "validation")


def test_where_the_index_cannot_be_written_all_else_goes_on(
    api: Api, ended: tuple[str, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    log = tmp_path / "log"
    with serving(api.desk, log=log, redis_url=api.desk.url, data_dir=str(tmp_path / "file" / "x")) as other:
        client = other.client()
        found = problem(client.get(f"/v1/references/{ended[1][0]}"), "error")
        assert str(tmp_path) not in str(found)
        assert client.get(f"/v1/jobs/{ended[0]}").status_code == 200
    assert "the index of references" in log.read_text()


def without_ages(groups: dict[str, Any]) -> list[dict[str, Any]]:
    """Consumer groups without what grows while nothing happens."""
    found = [{name: value for name, value in one.items() if not name.endswith("_seconds")} for one in groups["groups"]]
    for group in found:
        group["consumers"] = [one | {"idle_seconds": None} for one in group["consumers"]]
    return found


def test_consumer_groups_are_shown_and_removed(api: Api, client: httpx.Client, ended: tuple[str, list[str]]) -> None:
    assert client.get("/v1/consumers").json() == {"groups": []}
    with Redis.from_url(api.desk.url) as redis:
        redis.xgroup_create(STREAM, "billing", id="0")
        redis.xreadgroup("billing", "reader-1", {STREAM: ">"}, count=10)
        there = redis.xlen(STREAM)
    shown = client.get("/v1/consumers").json()
    consumer_schemas.ConsumerGroups.model_validate(shown)
    assert without_ages(shown) == without_ages(api.desk.ok("consumers", "--json").document)
    (group,) = shown["groups"]
    assert (group["group"], group["pending"], group["holds_up_trimming"]) == ("billing", 10, False)
    assert group["lag"] == there - 10
    assert group["oldest_pending_seconds"] >= 0
    assert [(one["consumer"], one["pending"]) for one in group["consumers"]] == [("reader-1", 10)]
    problem(api.client(OF_ROLE[Access.READ]).delete("/v1/consumers/billing"), "forbidden")
    assert client.delete("/v1/consumers/billing").status_code == 204
    problem(client.delete("/v1/consumers/billing"), "not_found")
    assert client.get("/v1/consumers").json() == {"groups": []}


def test_results_come_as_parquet_with_types(api: Api, client: httpx.Client, ended: tuple[str, list[str]]) -> None:
    path = f"/v1/jobs/{ended[0]}/results"
    rows = client.get(path).json()["results"]
    answer = client.get(path, headers={"Accept": "application/vnd.apache.parquet"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.content))
    found = table.to_pylist()
    for one in found:
        one["at"] = one["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert found == rows
    some = client.get(path, params={"outcome": "manifested"}, headers={"Accept": "application/vnd.apache.parquet"})
    assert pq.read_table(io.BytesIO(some.content)).num_rows == 20


def test_it_follows_the_results_by_itself_so_that_trimmed_ones_are_known(api: Api, tmp_path: Path) -> None:
    with (
        serving(
            api.desk, log=tmp_path / "log", redis_url=api.desk.url, data_dir=str(tmp_path), namespace="own"
        ) as other,
        Redis.from_url(api.desk.url) as redis,
    ):
        fields = {"job": "35hnsmqb0001", "reference": "EC-000-05D-1NS", "outcome": "cancelled", "attempts": "1"}
        for _ in range(3):
            redis.xadd("own:results", fields)
        asyncio.run(until(partial(copied, tmp_path), lambda read: read == 3, 20))
        redis.xtrim("own:results", maxlen=0, approximate=False)
        found = other.client().get("/v1/references/EC-000-05D-1NS").json()
        assert {one["job"] for one in found["jobs"]} == {"35hnsmqb0001"}
        assert found["complete"] is True
        with next(tmp_path.glob("references-*.lock")).open("rb") as lock:  # as a process that brings it up to date
            fcntl.flock(lock, fcntl.LOCK_EX)
            problem(other.client().get("/v1/references/EC-000-05D-1NS"), "index_behind")
        assert other.client().get("/v1/references/EC-000-05D-1NS").json() == found


async def copied(folder: Path) -> int:
    """How many results were copied into the file."""
    read = 0
    for file in folder.glob("references-*.sqlite"):  # noqa: ASYNC240 - of a test
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(file)) as one:
            read += int(one.execute("SELECT read FROM place").fetchone()[0])
    return read
