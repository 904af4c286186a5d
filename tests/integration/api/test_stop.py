"""The stop of all accounts over HTTP."""

import asyncio

from cancellist.jobs.ledger import stop_all
from tests.support.api import Api, problem
from tests.support.ledgers import opened_ledger


def test_all_accounts_are_stopped_and_go_on(api: Api) -> None:
    client = api.client()
    job = client.post("/v1/jobs", json=api.desk.fresh(2), params={"start_at": "+9h"}).json()["job"]
    none = {"state": "running", "since": None, "by": None, "why": None, "calls_in_flight": 0}
    assert client.get("/v1/stop").json() == none
    stopped = client.post("/v1/stop", params={"reason": "the wrong list"}).json()
    assert (stopped["state"], stopped["by"], stopped["why"]) == ("stopped", "every", "the wrong list")
    assert client.post("/v1/stop").json() == stopped == client.get("/v1/stop").json()
    told = {name: stopped[name] for name in ("since", "by", "why")}
    assert client.get(f"/v1/jobs/{job}").json()["all_stopped"] == told
    for account in client.get("/v1/accounts").json()["accounts"]:
        assert (account["state"], account["paused"], account["all_stopped"]) == ("stopped", False, told)
    assert client.post("/v1/accounts/default/resume").json()["state"] == "stopped"
    assert client.delete("/v1/stop").json()["state"] == "running"
    assert client.get(f"/v1/jobs/{job}").json()["all_stopped"] is None
    client.post(f"/v1/jobs/{job}/abort")


def test_a_stop_file_that_a_worker_sees_keeps_them_stopped(api: Api) -> None:
    async def note(where: str) -> None:
        async with opened_ledger(api.desk.url) as ledger:
            await stop_all.note_file(ledger, "w1", where, "STOP_FILE", "the stop file is there")

    client = api.client()
    asyncio.run(note("box:/run/stop"))
    assert "box:/run/stop" in problem(client.delete("/v1/stop"), "stop_file")["detail"]
    assert client.get("/v1/stop").json()["by"] == "STOP_FILE"
    asyncio.run(note(""))
    assert client.delete("/v1/stop").json()["state"] == "running"
