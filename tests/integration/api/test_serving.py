"""A job handed in over HTTP to a real `cancellist serve` is cancelled by a real worker, and can be read back."""

from collections.abc import Iterator

import pytest

from tests.support.api import Api, serving
from tests.support.commands import desk


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("api")) as one, serving(one) as running, one.started("worker"):
        yield running


def test_an_array_handed_in_becomes_a_job_whose_references_are_cancelled(api: Api) -> None:
    client, references = api.client(), api.desk.fresh(25)
    answer = client.post("/v1/jobs", json=references, params={"reason": "recall", "priority": "urgent"})
    assert answer.status_code == 202, answer.text
    submitted = answer.json()
    assert submitted["total"] == 25
    assert answer.headers["location"] == f"/v1/jobs/{submitted['job']}"
    ended = api.ended(client, submitted["job"])
    assert (ended["state"], ended["outcomes"]) == ("completed", {"cancelled": 25})
    assert (ended["reason"], ended["priority"], ended["requested_by"]) == ("recall", "urgent", "every")
    assert {row["state"] for row in api.desk.record(references).values()} == {"Cancelled"}


def test_without_a_token_nothing_is_done(api: Api) -> None:
    before = len(api.desk.jobs())
    answer = api.client(None).post("/v1/jobs", json=api.desk.fresh(1))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthorized"
    assert len(api.desk.jobs()) == before
