"""What goes wrong with the Redis server, or with this machine, is a problem of its kind, and loses nothing."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cancellist.jobs.ledger.server.embedded import EmbeddedServer
from tests.support import ROOT
from tests.support.api import WITHIN_S, Api, problem, serving
from tests.support.commands import Desk
from tests.support.servers import Server, running
from tests.support.slow_upload import upload
from tests.support.stage import platform

TEXT = {"Content-Type": "text/plain"}
HELD = {"start_at": "+9h"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("redis", tmp_path_factory.mktemp("r"), fsync="always") as one:
        yield one


@pytest.fixture(scope="module")
def api(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("faults")
    with platform(folder) as world:
        desk = Desk(folder, world, server.url, {"redis_url": server.url, "api_url": world.url})
        with serving(desk) as one:
            yield one


def lines(count: int, kind: str) -> bytes:
    return "".join(f"EC-{kind}-{n // 1000:03}-{n % 1000:03}\n" for n in range(count)).encode()


def hand_in(client: httpx.Client, key: str) -> httpx.Response:
    return client.post("/v1/jobs", content=lines(3, key), headers=TEXT | {"Idempotency-Key": key}, params=HELD)


def test_while_the_server_is_away_requests_are_told_so_and_afterwards_all_is_there(
    api: Api, client: httpx.Client, server: Server
) -> None:
    job = hand_in(client, "AAA").json()["job"]
    server.kill()
    try:
        for ask in (
            lambda: client.get("/readyz"),
            lambda: client.get(f"/v1/jobs/{job}"),
            lambda: client.get("/v1/jobs"),
            lambda: client.get("/v1/accounts"),
            lambda: client.post(f"/v1/jobs/{job}/pause"),
            lambda: hand_in(client, "AAB"),
        ):
            problem(ask(), "server_unavailable")
        assert client.get("/healthz").status_code == 200
    finally:
        server.restart()
    assert client.get("/readyz").status_code == 200
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "held"
    first = hand_in(client, "AAB")
    assert first.status_code == 202
    assert hand_in(client, "AAB").json()["job"] == first.json()["job"]


def test_a_server_of_our_own_that_was_killed_is_brought_back(api: Api, tmp_path: Path) -> None:
    own = Desk(tmp_path, api.desk.platform, "", {"data_dir": str(tmp_path / "data"), "api_url": api.desk.platform.url})
    with serving(own) as alone:
        client = alone.client()
        job = hand_in(client, "AAL").json()["job"]
        embedded = EmbeddedServer(tmp_path / "data")
        assert embedded.pid
        os.kill(embedded.pid, signal.SIGKILL)
        deadline = time.monotonic() + WITHIN_S
        while (answer := client.get("/readyz")).status_code != 200 or embedded.pid is None:
            assert time.monotonic() < deadline, answer.text
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "held"


def test_a_server_that_refuses_a_command_is_told_apart(client: httpx.Client, server: Server) -> None:
    server.command_line("ACL", "SETUSER", "default", "-zrange")
    try:
        found = problem(client.get("/v1/jobs"), "server_refused")
        assert "zrange" not in str(found).lower()
    finally:
        server.command_line("ACL", "SETUSER", "default", "+zrange")
    assert client.get("/v1/jobs").status_code == 200


def test_a_record_of_a_newer_version_is_told_apart(client: httpx.Client, server: Server) -> None:
    job = hand_in(client, "AAC").json()["job"]
    server.command_line("HSET", f"cancellist:job:{job}", "state", "someday")
    try:
        problem(client.get(f"/v1/jobs/{job}"), "server_unfit")
    finally:
        server.command_line("HSET", f"cancellist:job:{job}", "state", "held")
    assert client.get(f"/v1/jobs/{job}").status_code == 200


def test_a_full_server_takes_no_job_and_lets_all_else_go_on(api: Api, client: httpx.Client, server: Server) -> None:
    job = hand_in(client, "AAD").json()["job"]
    before = {one.id for one in api.desk.jobs()}
    server.command_line("CONFIG", "SET", "maxmemory", "1mb")
    try:
        problem(hand_in(client, "AAE"), "server_full")
        assert client.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
        assert client.get(f"/v1/jobs/{job}").status_code == 200
    finally:
        server.command_line("CONFIG", "SET", "maxmemory", "0")
    assert {one.id for one in api.desk.jobs()} == before
    assert hand_in(client, "AAE").status_code == 202


def test_a_submission_that_was_dropped_under_us_is_no_half_job(api: Api, server: Server) -> None:
    before = {job.id for job in api.desk.jobs()}
    with upload(api, query="?start_at=%2B9h") as one:
        one.send(lines(25_000, "AAF"))
        deadline = time.monotonic() + WITHIN_S
        while not (begun := {job.id for job in api.desk.jobs()} - before):
            assert time.monotonic() < deadline
        server.command_line("UNLINK", f"cancellist:job:{begun.pop()}")
        one.send(lines(25_000, "AAG"))
        one.end()
        problem(one.answer(), "server")


def test_results_that_were_trimmed_are_counted_and_where_all_were_that_is_told(
    api: Api, client: httpx.Client, server: Server
) -> None:
    job = client.post("/v1/jobs", content=lines(30, "AAH"), headers=TEXT, params=HELD).json()["job"]
    client.post(f"/v1/jobs/{job}/abort").raise_for_status()
    api.ended(client, job)
    path = f"/v1/jobs/{job}/results"
    assert (client.get(path).json()["gone"], len(client.get(path).json()["results"])) == (0, 30)
    cursor = client.get(path, params={"limit": 5}).json()["next"]
    server.command_line("XTRIM", "cancellist:results", "MAXLEN", 10)
    page = client.get(path).json()
    assert (page["gone"], len(page["results"]), page["complete"]) == (20, 10, True)
    assert client.get(path, params={"cursor": cursor}).json()["results"] == page["results"]
    for form in ("text/csv", "application/x-ndjson"):
        answer = client.get(path, headers={"Accept": form})
        assert answer.headers["cancellist-results-gone"] == "20"
        assert len(answer.text.splitlines()) == 10 + (form == "text/csv")
    server.command_line("XTRIM", "cancellist:results", "MAXLEN", 0)
    for form in ("application/json", "text/csv"):
        problem(client.get(path, headers={"Accept": form}), "results_gone")


def test_a_stream_that_breaks_off_is_seen_to_be_cut(api: Api, client: httpx.Client, server: Server) -> None:
    job = client.post("/v1/jobs", content=lines(20_000, "AAI"), headers=TEXT, params=HELD).json()["job"]
    client.post(f"/v1/jobs/{job}/abort").raise_for_status()
    api.ended(client, job)
    with client.stream("GET", f"/v1/jobs/{job}/results", headers={"Accept": "text/csv"}) as answer:
        assert answer.status_code == 200
        server.command_line("ACL", "SETUSER", "default", "-xrange")
        try:
            with pytest.raises(httpx.RemoteProtocolError):
                sum(map(len, answer.iter_raw()))
        finally:
            server.command_line("ACL", "SETUSER", "default", "+xrange")


def test_a_machine_without_room_for_temporary_files_hands_in_nothing(api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    many = lines(60_000, "AAJ")  # more than are kept in memory
    before = {job.id for job in api.desk.jobs()}
    with serving(api.desk, log=tmp_path / "log", tmpdir=folder) as other:
        client = other.client()
        made = client.post("/v1/jobs", content=many, headers=TEXT, params=HELD).json()["job"]
        shutil.rmtree(folder)
        found = problem(client.post("/v1/jobs", content=many, headers=TEXT, params=HELD), "error")
        assert str(folder) not in str(found)
    assert {job.id for job in api.desk.jobs()} == before | {made}


def test_it_needs_no_more_rights_than_a_worker_has(api: Api, server: Server, tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/acl.md").read_text(encoding="utf-8")
    rules = page.partition("```acl worker\n")[2].partition("```")[0].split()
    server.command_line(*rules)
    url = server.url.replace("unix://", "unix://cancellist-worker:PASSWORD@")
    with serving(api.desk, log=tmp_path / "log", redis_url=url) as limited:
        client = limited.client()
        job = hand_in(client, "AAK").json()["job"]
        client.patch(f"/v1/jobs/{job}", json={"priority": "bulk"}).raise_for_status()
        for route in ("pause", "resume", "abort", "retry"):
            client.post(f"/v1/jobs/{job}/{route}").raise_for_status()
        for route in ("pause", "resume"):
            client.post(f"/v1/accounts/default/{route}").raise_for_status()
        for path in ("/readyz", "/v1/accounts", "/v1/jobs?limit=1&state=aborted", f"/v1/jobs/{job}"):
            client.get(path).raise_for_status()
        for form in ("application/json", "text/csv"):
            query = {"limit": 1, "outcome": "aborted"}
            client.get(f"/v1/jobs/{job}/results", params=query, headers={"Accept": form}).raise_for_status()
