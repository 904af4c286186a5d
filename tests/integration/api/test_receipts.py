"""Receipts and the audit log over HTTP: the same bytes as by command, and everybody who changed anything."""

import json
import os
import pwd
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from cancellist.api import receipt_schemas
from cancellist.jobs.access import Access
from cancellist.jobs.ledger import receipt_keys
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, problem, serving


@pytest.fixture(scope="module")
def signing(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that signs receipts."""
    folder = tmp_path_factory.mktemp("signing")
    receipt_keys.make_key(folder / "receipt.pem")
    with serving(api.desk, log=folder / "log", receipt_key_file=str(folder / "receipt.pem")) as running:
        yield running


def ended_job(api: Api, count: int = 3) -> str:
    client = api.client()
    job = str(client.post("/v1/jobs", json=api.desk.fresh(count)).json()["job"])
    api.ended(client, job)
    return job


def test_a_receipt_is_made_once_signed_logged_and_verifies(signing: Api) -> None:
    job = ended_job(signing)
    client = signing.client(OF_ROLE[Access.READ])
    answer = client.get(f"/v1/jobs/{job.upper()}/receipt")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document = receipt_schemas.Receipt.model_validate(answer.json())
    assert (document.job["job"], document.results.leaves) == (job, 3)
    assert client.get(f"/v1/jobs/{job}/receipt").content == answer.content
    assert signing.desk.ok("receipt", job).out.encode() == answer.content
    file = signing.desk.file("http.json", answer.content)
    key = signing.log.with_name("receipt.pem.pub")
    assert "verified" in signing.desk.ok("verify", file, "--key", key).out
    lines = [json.loads(line) for line in signing.log.read_text().splitlines()]
    (told,) = [line for line in lines if line["event"] == "receipt" and line["job"] == job]
    assert (told["digest"], told["number"]) == (document.digest, document.number)


def test_a_job_that_has_not_ended_or_is_unknown_has_none(api: Api, client: httpx.Client) -> None:
    held = client.post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+9h"}).json()["job"]
    problem(client.get(f"/v1/jobs/{held}/receipt"), "job_state")
    problem(client.get("/v1/jobs/nosuchjob/receipt"), "unknown_job")


def test_serve_does_not_start_with_a_key_that_others_can_read(api: Api, tmp_path: Path) -> None:
    receipt_keys.make_key(tmp_path / "receipt.pem")
    (tmp_path / "receipt.pem").chmod(0o644)
    done = api.desk.run("serve", "--port", "0", receipt_key_file=str(tmp_path / "receipt.pem"))
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert "chmod 600" in done.err


# the audit log


def acts(client: httpx.Client, **query: str) -> list[tuple[str, str, str, str | None]]:
    """What was done, by whom, and with what result; oldest first."""
    answer = client.get("/v1/audit", params=query).raise_for_status()
    found = receipt_schemas.Audit.model_validate(answer.json()).entries
    return [(one.what, one.via, one.result, one.code) for one in found[::-1]]


def test_each_change_of_a_job_is_recorded_with_who_and_from_where(api: Api, client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=api.desk.fresh(2), params={"start_at": "+9h"}).json()["job"]
    path = f"/v1/jobs/{job}"
    client.patch(path, json={"priority": "urgent"}).raise_for_status()
    client.post(f"{path}/pause").raise_for_status()
    client.post(f"{path}/resume").raise_for_status()
    problem(client.post(f"{path}/continue"), "job_state")
    api.desk.ok("update", job, "--priority", "bulk")
    api.client(OF_ROLE[Access.OPERATE]).post(f"{path}/abort").raise_for_status()
    problem(client.patch(path, json={"priority": "normal"}), "job_state")
    again = client.post(f"{path}/retry").json()["job"]
    assert acts(client, job=job.upper()) == [
        ("enqueue", "http", "done", None), ("update", "http", "done", None), ("pause", "http", "done", None),
        ("resume", "http", "done", None), ("continue", "http", "refused", "job_state"),
        ("update", "cli", "done", None), ("abort", "http", "done", None), ("update", "http", "refused", "job_state"),
    ]  # fmt: skip
    assert acts(client, job=again) == [("retry", "http", "done", None)]
    entries = client.get("/v1/audit", params={"job": job}).json()["entries"]
    told = {(one["what"], one["result"]): one for one in entries}
    aborted, by_command = told["abort", "done"], next(one for one in entries if one["via"] == "cli")
    assert (aborted["who"], aborted["where"], aborted["account"]) == ("only-operate", "127.0.0.1", "default")
    assert (by_command["who"], by_command["where"]) == (pwd.getpwuid(os.getuid()).pw_name, socket.gethostname())
    assert by_command["about"] == "priority=bulk"
    assert told["enqueue", "done"]["who"] == "every"


def test_changes_of_accounts_webhooks_and_groups_are_recorded(api: Api, client: httpx.Client) -> None:
    since = client.get("/v1/audit", params={"limit": 1}).json()["entries"]
    client.post("/v1/accounts/default/pause").raise_for_status()
    client.post("/v1/accounts/default/resume").raise_for_status()
    webhook = client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/?key=pa55word"}).json()["webhook"]
    secret = client.post(f"/v1/webhooks/{webhook}/rotate").json()["secret"]
    client.post(f"/v1/webhooks/{webhook}/enable").raise_for_status()
    client.post(f"/v1/webhooks/{webhook}/replay", json={"failed": True})
    client.delete(f"/v1/webhooks/{webhook}").raise_for_status()
    with Redis.from_url(api.desk.url) as redis:
        redis.xgroup_create("cancellist:results", "audited", mkstream=True)
    client.delete("/v1/consumers/audited").raise_for_status()
    entries = client.get("/v1/audit", params={"limit": 12}).json()["entries"]
    mine = entries[: entries.index(since[0])] if since else entries
    whats = [one["what"] for one in mine[::-1]]
    assert whats[:4] == ["pause", "resume", "webhooks add", "webhooks rotate"]
    assert {"webhooks enable", "webhooks remove", "consumers remove"} <= set(whats)
    assert {one["about"] for one in mine if one["what"].startswith("webhooks")} == {webhook}
    text = json.dumps(entries)
    assert not any(word in text for word in ("pa55word", secret, EVERY))


def test_entries_of_the_intake_stream_are_recorded_by_the_worker(api: Api, client: httpx.Client) -> None:
    (reference,) = api.desk.fresh(1)
    with Redis.from_url(api.desk.url) as redis:
        entry = redis.xadd("cancellist:intake", {"references": reference, "requested_by": "shop"}).decode()
    deadline = time.monotonic() + WITHIN_S
    while not (found := [one for one in client.get("/v1/audit").json()["entries"] if one["where"] == entry]):
        assert time.monotonic() < deadline
    (one,) = found
    assert (one["what"], one["via"], one["who"], one["result"]) == ("enqueue", "intake", "shop", "done")
    assert api.ended(client, one["job"])["intake_entry"] == entry
    assert reference not in json.dumps(client.get("/v1/audit").json())


def test_pages_follow_each_other_and_filters_hold(api: Api, client: httpx.Client) -> None:
    for _ in range(3):
        client.post("/v1/accounts/default/resume").raise_for_status()
    seen, cursor = [], None
    whole = client.get("/v1/audit", params={"limit": 1000}).json()
    assert whole["next"] is None
    while cursor is not None or not seen:
        page = client.get("/v1/audit", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += page["entries"]
        cursor = page["next"]
    assert seen == whole["entries"]
    assert client.get("/v1/audit", params={"account": "nowhere"}).json()["entries"] == []
    assert client.get("/v1/audit", params={"since": "2999-01-01T00:00:00Z"}).json()["entries"] == []
    assert len(client.get("/v1/audit", params={"since": "1h"}).json()["entries"]) == min(100, len(seen))
    for query in ({"cursor": "nonsense"}, {"limit": "0"}, {"since": "soon"}, {"colour": "red"}):
        problem(client.get("/v1/audit", params=query), "validation")


def test_the_command_lists_the_same(api: Api, client: httpx.Client) -> None:
    job = client.post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+9h"}).json()["job"]
    api.desk.ok("abort", "--yes", job)
    document = api.desk.ok("audit", "--job", job, "--json").document
    assert document["entries"] == client.get("/v1/audit", params={"job": job}).json()["entries"]
    table = api.desk.ok("audit", "--job", job, "--since", "1h", "--limit", "1")
    assert "abort" in table.out
    assert "enqueue" not in table.out
    assert "only the newest 1" in table.err
    assert "no such entry" in api.desk.ok("audit", "--account", "nowhere").err
