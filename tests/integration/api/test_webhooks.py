"""Webhooks over HTTP: added, shown without secrets, rotated, tried, replayed and removed."""

import base64
import re
from collections.abc import Iterator

import httpx
import pytest

from cancellist.jobs.access import Access
from tests.support.api import OF_ROLE, WITHIN_S, Api, problem, serving
from tests.support.receiver import Receiver, receiving, verified
from tests.support.waiting import soon

URL = "https://hooks.example/in/1?token=a-token"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def added(client: httpx.Client, url: str, **options: object) -> dict[str, object]:
    answer = client.post("/v1/webhooks", json={"url": url, **options})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert client.get(answer.headers["location"]).json() == {k: v for k, v in made.items() if k != "secret"}
    return made


def test_it_is_added_and_its_secret_and_what_is_secret_of_its_url_are_shown_no_more(client: httpx.Client) -> None:
    made = added(client, URL, outcomes=["failed", "unconfirmed"], account="default")
    secret = str(made["secret"])
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert made["on"] == ["job.results"]
    assert made["outcomes"] == ["unconfirmed", "failed"]
    assert made["url"] == "https://hooks.example/in/1?..."
    listed = client.get("/v1/webhooks")
    assert made["webhook"] in [one["webhook"] for one in listed.json()["webhooks"]]
    assert not any(word in listed.text for word in (secret, "a-token"))
    assert client.delete(f"/v1/webhooks/{made['webhook']}").status_code == 204
    problem(client.get(f"/v1/webhooks/{made['webhook']}"), "unknown_webhook")
    problem(client.delete(f"/v1/webhooks/{made['webhook']}"), "unknown_webhook")


@pytest.mark.parametrize(
    "document",
    [
        {"url": "http://hooks.example/"}, {"url": "https://10.0.0.1/"}, {"url": "https://[::ffff:10.0.0.1]/"},
        {"url": "ftp://hooks.example/"}, {"url": "https://"}, {"url": URL, "account": "nobody"}, {},
        {"url": URL, "on": ["job.begun"]}, {"url": URL, "outcomes": ["good"]}, {"url": URL, "colour": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_added_is_named_and_repeats_nothing_secret(client: httpx.Client, document: object) -> None:
    answer = client.post("/v1/webhooks", json=document)
    assert problem(answer, "validation")["errors"]
    assert "a-password" not in answer.text
    problem(client.post("/v1/webhooks", content=b"x", headers={"Content-Type": "text/csv"}), "unsupported_media_type")
    too_much = {"Content-Type": "application/json"}
    problem(client.post("/v1/webhooks", content=b"[" + b" " * 70_000, headers=too_much), "body_too_large")


def test_one_who_may_only_read_lists_and_changes_nothing(api: Api, client: httpx.Client) -> None:
    webhook = added(client, URL)["webhook"]
    reader = api.client(OF_ROLE[Access.READ])
    for path in ("", f"/{webhook}", f"/{webhook}/deliveries"):
        assert reader.get(f"/v1/webhooks{path}").status_code == 200
    problem(reader.post("/v1/webhooks", json={"url": URL}), "forbidden")
    problem(reader.delete(f"/v1/webhooks/{webhook}"), "forbidden")
    for verb in ("enable", "rotate", "test", "replay"):
        problem(reader.post(f"/v1/webhooks/{webhook}/{verb}"), "forbidden")


def until_settled(client: httpx.Client, path: str) -> list[dict[str, object]]:
    def deliveries() -> list[dict[str, object]]:
        return list(client.get(f"{path}/deliveries").json()["deliveries"])

    return soon(deliveries, lambda found: found and all(one["state"] != "waiting" for one in found), WITHIN_S)


def test_it_is_tried_rotated_and_replayed(client: httpx.Client, receiver: Receiver) -> None:
    made = added(client, receiver.url)
    path, old = f"/v1/webhooks/{made['webhook']}", str(made["secret"])
    tried = client.post(f"{path}/test")
    assert tried.status_code == 202
    (delivery,) = until_settled(client, path)
    assert (delivery["delivery"], delivery["state"], delivery["status"]) == (tried.json()["delivery"], "delivered", 200)

    rotated = client.post(f"{path}/rotate").json()
    assert rotated["secret_version"] == 2
    assert rotated["secret"] != old
    replayed = client.post(f"{path}/replay", json={"delivery": delivery["delivery"]})
    assert replayed.json() == {"webhook": made["webhook"], "deliveries": 1, "since": None}
    until_settled(client, path)
    first, second = receiver.got[delivery["delivery"]]
    assert first.body == second.body
    assert verified(first, old)
    assert not verified(first, rotated["secret"])
    assert verified(second, old), "for a day the secret before signs, too"
    assert verified(second, rotated["secret"])

    assert client.post(f"{path}/replay").json()["deliveries"] == 0
    assert re.match(r"\d{4}-", client.post(f"{path}/replay", json={"since": "1h"}).json()["since"])
    problem(client.post(f"{path}/replay", json={"since": "soon"}), "validation")
    problem(client.post(f"{path}/replay", json={"delivery": "msg_x", "since": "1h"}), "validation")
    problem(client.post(f"{path}/replay", json={"delivery": "msg_none"}), "unknown_webhook")


def test_deliveries_come_in_pages(client: httpx.Client, receiver: Receiver) -> None:
    path = f"/v1/webhooks/{added(client, receiver.url)['webhook']}"
    made = [client.post(f"{path}/test").json()["delivery"] for _ in range(5)]
    found, cursor = [], None
    while True:
        page = client.get(f"{path}/deliveries", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [one["delivery"] for one in page["deliveries"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(found) == sorted(made)


def test_without_a_key_none_is_added_and_it_is_said_why(api: Api, client: httpx.Client) -> None:
    webhook = added(client, URL)["webhook"]
    with serving(api.desk, webhook_key="") as keyless:
        other = keyless.client()
        problem(other.post("/v1/webhooks", json={"url": URL}), "no_webhook_key")
        problem(other.post(f"/v1/webhooks/{webhook}/rotate"), "no_webhook_key")
