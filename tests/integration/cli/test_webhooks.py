"""`cancellist webhooks`: added with a secret that is shown once, listed without secrets, tried, replayed, removed."""

import re
from collections.abc import Iterator

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk
from tests.support.receiver import SETTINGS, Receiver, receiving, verified


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("webhooks")) as one:
        one.settings |= SETTINGS
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def test_a_burst_ends_only_when_its_events_were_tried_and_they_can_be_replayed(desk: Desk, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    added = desk.ok("webhooks", "add", f"{receiver.url}?token=a-token", "--outcome", "cancelled", "--on", "job.ended")
    secret = added.out.strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    webhook = re.search(r"wh_\w{10}", added.err)[0]
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(2))).out.strip()
    burst = desk.run("worker", "--burst")
    assert "webhook not delivered" in burst.err
    found = desk.ok("webhooks", "deliveries", webhook, "--json").document["deliveries"]
    assert {(one["type"], one["state"], one["attempts"], one["status"]) for one in found} == {
        ("job.ended", "waiting", 1, 500), ("job.results", "waiting", 1, 500),
    }  # fmt: skip
    receiver.answer = lambda _: 200
    ended = next(one["delivery"] for one in found if one["type"] == "job.ended")
    assert desk.ok("webhooks", "replay", webhook, ended, "--json").document == {"webhook": webhook, "deliveries": 1}
    desk.drain()
    now = {
        one["delivery"]: one["state"]
        for one in desk.ok("webhooks", "deliveries", webhook, "--json").document["deliveries"]
    }
    assert now[ended] == "delivered"
    assert all(verified(got, secret) for got in receiver.got[ended])

    shown = desk.ok("webhooks").out + desk.ok("webhooks", "--json").out + burst.err
    assert webhook in shown
    assert f"{receiver.url}?..." in shown
    assert not any(word in shown for word in ("a-token", secret, SETTINGS["webhook_key"]))
    assert job in desk.ok("webhooks", "deliveries", webhook).out

    assert desk.ok("webhooks", "replay", webhook, "--since", "1h", "--json").document["since"]
    assert desk.ok("webhooks", "enable", webhook, "--json").document["state"] == "enabled"
    rotated = desk.ok("webhooks", "rotate", webhook)
    assert rotated.out.strip() not in {"", secret}
    assert desk.ok("webhooks", "remove", webhook, "--json").document == {"webhook": webhook, "removed": True}
    assert desk.run("webhooks", "remove", webhook).status == 1


def test_one_that_is_tried_tells_what_came_of_it(desk: Desk, receiver: Receiver) -> None:
    webhook = desk.ok("webhooks", "add", receiver.url, "--json").document["webhook"]
    with desk.started("worker"):
        assert "delivered: HTTP 200" in desk.ok("webhooks", "test", webhook).err
        receiver.answer = lambda _: 410
        done = desk.run("webhooks", "test", webhook)
        assert (done.status, done.err) == (1, "not delivered: HTTP 410: it wants no more\n")
    done = desk.run("webhooks", "test", webhook)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "is disabled" in done.err
    assert "HTTP 410" in desk.ok("webhooks").out


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add", "http://hooks.example/"), 1, "not https"),
        (("add", "https://10.0.0.1/"), 1, "not a public address"),
        (("add", "https://u:a-password@x/#y"), 1, "fragment"),
        (("add", "https://hooks.example/", "--on", "job.begun"), 1, "job.ended, job.halted, job.approval_wanted"),
        (("add", "https://hooks.example/", "--outcome", "good"), 2, "is not an outcome"),
        (("add", "https://hooks.example/", "--account", "nobody"), 1, "nobody"),
        (("add",), 2, "Missing argument"),
        (("remove", "wh_0000000000"), 1, "no webhook"),
        (("enable", "x"), 1, "no webhook"),
        (("rotate", ""), 1, "no webhook"),
        (("deliveries", "wh_0000000000"), 1, "no webhook"),
        (("replay", "wh_0000000000"), 1, "no webhook"),
        (("replay", "wh_0000000000", "msg_1", "--since", "2h"), 2, "not both"),
        (("replay", "wh_0000000000", "--since", "+2h"), 1, "2h"),
        (("test", "wh_0000000000"), 1, "no webhook"),
        (("forget", "wh_0000000000"), 2, "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_cannot_be_is_one_line_that_says_why(desk: Desk, arguments, status: int, says: str) -> None:
    done = desk.run("webhooks", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1), done
    assert says in done.err
    assert "a-password" not in done.err


def test_without_a_key_none_is_added_and_a_wrong_key_is_named_and_not_shown(desk: Desk) -> None:
    done = desk.run("webhooks", "add", "https://hooks.example/", webhook_key="")
    assert done.status == 1
    assert "CANCELLIST_WEBHOOK_KEY is not set" in done.err
    assert "openssl rand -base64 32" in done.err
    done = desk.run("webhooks", webhook_key="too-short-a-key")
    assert done.status == 1
    assert "CANCELLIST_WEBHOOK_KEY" in done.err
    assert "too-short" not in done.err
