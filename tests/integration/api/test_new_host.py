"""A host that was never called: whichever way work comes over HTTP, the host must be named first."""

from tests.support.api import Api, problem
from tests.support.strange_host import strange_host


def test_work_for_a_new_host_is_refused_until_its_name_is_given(api: Api) -> None:
    client, references = api.client(), api.desk.fresh(2)
    host = strange_host(api.desk.url, "west")
    for given in ({}, {"host": "example.com"}):
        refused = client.post("/v1/jobs", json=references, params={"account": "west", **given})
        assert host in problem(refused, "new_host")["detail"]
    through = client.put("/accounts/west/consignments/cancellist", json=references)
    assert (through.status_code, through.json()["Code"]) == (409, "new_host")
    assert client.get("/v1/jobs", params={"account": "west"}).json()["jobs"] == []
    body = {"references": references, "account": "west", "host": host, "start_at": "+9h"}
    job = client.post("/v1/jobs", json=body).raise_for_status().json()["job"]
    client.post(f"/v1/jobs/{job}/abort")


def test_it_is_confirmed_as_its_account_is_resumed(api: Api) -> None:
    client, host = api.client(), strange_host(api.desk.url, "east")
    held = client.post("/v1/accounts/east/resume").json()
    assert (held["state"], held["new_host"]) == ("new_host", host)
    assert held["called"] == [{"host": host, "environment": "production"}]
    problem(client.post("/v1/accounts/east/resume", params={"host": "example.com"}), "new_host")
    assert client.post("/v1/accounts/east/resume", params={"host": host}).json()["state"] == "running"
