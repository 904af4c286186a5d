"""A host that was never called: a person confirms it by its name, and every confirmation names the platform."""

import pytest
from redis import Redis

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk
from tests.support.strange_host import strange_host


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("hosts")) as desk:
        yield desk


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """An account whose workers call a host that nobody has confirmed."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:20].strip("-")
    strange_host(desk.url, name)
    return name


def enqueue(desk: Desk, account: str, *words: object):
    return desk.run("enqueue", "-", "--account", account, "--json", *words, text="\n".join(desk.fresh(2)))


def test_a_script_confirms_it_by_its_name(desk: Desk, account: str):
    assert enqueue(desk, account, "--host", "").status == 2  # of an unset variable
    for words in ((), ("--host", "example.com")):
        refused = enqueue(desk, account, *words)
        assert (refused.status, refused.out) == (5, ""), refused
        assert '"code": "new_host"' in refused.err
        assert f"PRODUCTION host {account}.example.com" in refused.err
    assert enqueue(desk, account, "--host", f" {account.upper()}.example.com").status == 0
    assert enqueue(desk, account).status == 0


def test_an_account_is_held_back_until_its_host_is_confirmed(desk: Desk, account: str):
    def look():
        accounts = {one["account"]: one for one in desk.ok("accounts", "--json").document["accounts"]}
        return accounts[account]

    host = f"{account}.example.com"
    seen = look()
    assert (seen["state"], seen["new_host"]) == ("new_host", host)
    assert seen["called"] == [{"host": host, "environment": "production"}]
    assert f"resume --account {account} --host {host}" in desk.ok("accounts").out
    assert desk.run("resume", "--account", account, "--host", "other.example.com").status == 5
    assert desk.ok("resume", "--account", account, "--host", host).out == "running\n"
    assert look()["new_host"] is None


def test_on_a_terminal_its_name_is_typed(desk: Desk, account: str):
    host = f"{account}.example.com"
    path = desk.file("two", "\n".join(desk.fresh(2)))
    for typed, status, ends in (("y", 5, "is not its name"), ("", 5, "is not its name"), (host, 0, "is queued")):
        done = desk.typed("enqueue", path, "--account", account, keys=f"{typed}\n", after="to go on: ", columns=200)
        assert done.status == status
        for words in (f"PRODUCTION host {host}", f"account {account}", ends):
            assert words in done.out
    (job,) = [one.id for one in desk.jobs() if one.order.account == account]
    with Redis.from_url(desk.url, decode_responses=True) as redis:
        assert redis.hget(f"cancellist:job:{job}", "host") == host, "it may be called at no other host"


def test_a_confirmation_names_the_platform_and_the_account(desk: Desk):
    job = desk.ok("enqueue", "-", "--start-at", "+1h", text="\n".join(desk.fresh(2))).out.strip()
    done = desk.typed("abort", job, keys="n\n", after="[y/N]: ")
    assert " sandbox 127.0.0.1" in done.out
    assert "account default" in done.out


@pytest.mark.parametrize("command", [("plan", "-"), ("enqueue", "--where", "State=Allocated")])
def test_no_platform_is_asked_about_what_would_be_cancelled_on_another(desk: Desk, command):
    host, here = strange_host(desk.url, "far"), {"accounts__far__api_url": desk.platform.url}
    done = desk.run(*command, "--account", "far", text="EC-AAA-AAA-AAA", **here)
    assert (done.status, done.out) == (1, "")
    assert f"call PRODUCTION host {host}, but these settings name sandbox 127.0.0.1" in done.err
