"""Several accounts at the command line: handing in, stopping, going on and looking, each for one of them."""

import pytest

from cancellist.jobs.ledger.server.connection import connect
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

NORTH = {
    "accounts__north__max_references_per_call": "7",
    "accounts__north__reference_pattern": "EC-[A-Z0-9-]{11}|N-[0-9]{4}",
}
ROW = [
    "account", "state", "paused", "all_stopped", "platform", "called", "new_host", "key",
    "max_concurrent_calls", "max_calls_per_second", "burst",
    "max_references_per_call", "limit", "calls_per_second", "list_size", "list_refused", "breaker",
    "breaker_opened", "held_until", "held_because",
    "calls_in_flight", "workers",
]  # fmt: skip
NONE_THERE = "cancellist: no account 'nort' is configured; there is default, north\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("accounts")) as desk:
        yield desk


@pytest.fixture
async def ledger(desk: Desk):
    redis = await connect(desk.url)
    await redis.flushall()
    yield redis
    await redis.aclose()


def hand_in(desk: Desk, *references: str, account: str = "north", **settings: str) -> str:
    return desk.ok("enqueue", "-", "--account", account, text="\n".join(references), **settings).out.strip()


def rows(desk: Desk, **settings: str):
    return {row["account"]: row for row in desk.ok("accounts", "--json", **settings).document["accounts"]}


async def serve(ledger, *accounts: str, ahead_s: int = 0):
    seconds, _ = await ledger.time()
    await ledger.zadd("cancellist:served", dict.fromkeys(accounts, (seconds + ahead_s) * 1000))


def test_a_job_goes_to_its_account_by_whose_pattern_and_list_size_it_is_read(desk: Desk, ledger):
    references = desk.fresh(20)
    plan = desk.ok("enqueue", "-", "--account", "north", "--dry-run", "--json", text="\n".join(references), **NORTH)
    assert (plan.document["account"], plan.document["calls"]) == ("north", 3)
    job = hand_in(desk, *references, "N-4711", **NORTH)
    calls = len(desk.platform.calls())
    desk.ok("worker", "--burst", **NORTH)
    status = desk.ok("status", job, "--json").document
    assert (status["account"], status["invalid"], status["outcomes"]) == ("north", 0, {"cancelled": 20, "not_found": 1})
    assert max(call["references"] for call in desk.platform.calls()[calls:]) == 7
    other = hand_in(desk, "N-4711", *references[:1], account="default", **NORTH)
    assert desk.ok("status", other, "--json").document["outcomes"] == {"invalid": 1}


@pytest.mark.parametrize(
    "command",
    [["enqueue", "-"], ["enqueue", "-", "--dry-run"], ["pause"], ["resume"], ["explain", "--words"]],
    ids=" ".join,
)
async def test_an_unknown_account_is_refused_with_those_there_are(desk: Desk, ledger, command):
    done = desk.run(*command, "--account", "nort", text=desk.fresh(1)[0], **NORTH)
    assert (done.status, done.out, done.err) == (1, "", NONE_THERE)
    await serve(ledger, "north")
    done = desk.run(*command, "--account", "nort", text=desk.fresh(1)[0])
    assert (done.status, done.out, done.err) == (1, "", NONE_THERE)
    assert desk.run(*command, "--account", "north", text=desk.fresh(1)[0]).status == 0


def test_a_producer_without_accounts_of_its_own_may_name_those_that_a_worker_has_served(desk: Desk, ledger):
    assert desk.run("enqueue", "-", "--account", "north", text=desk.fresh(1)[0]).status == 1
    desk.ok("worker", "--burst", **NORTH)
    job = hand_in(desk, *desk.fresh(3))
    desk.drain()
    assert desk.ok("status", job, "--json").document["pending"] == 3
    desk.ok("worker", "--burst", **NORTH)
    assert desk.ok("status", job, "--json").document["outcomes"] == {"cancelled": 3}


def test_one_account_is_paused_while_the_other_goes_on(desk: Desk, ledger):
    held, free = hand_in(desk, *desk.fresh(5), **NORTH), hand_in(desk, *desk.fresh(5), account="default")
    assert desk.ok("pause", "--account", "north", "--json", **NORTH).document["state"] == "paused"
    desk.ok("worker", "--burst", **NORTH)
    assert desk.ok("status", held, "--json").document["pending"] == 5
    assert desk.ok("status", free, "--json").document["state"] == "completed"
    assert {name: row["state"] for name, row in rows(desk, **NORTH).items()} == {
        "default": "running",
        "north": "paused",
    }
    told = desk.ok("resume", held)
    assert "its account is paused: `cancellist resume --account north` resumes it" in told.err
    assert desk.ok("resume", "--account", "north").out == "running\n"
    desk.ok("worker", "--burst", **NORTH)
    assert desk.ok("status", held, "--json").document["state"] == "completed"


def test_the_same_references_in_two_accounts_are_each_its_own(desk: Desk, ledger):
    references = desk.fresh(4)
    jobs = [
        desk.ok("enqueue", "-", "--account", account, "--idempotency-key", "k", text="\n".join(references), **NORTH)
        for account in ("default", "north")
    ]
    assert jobs[0].out != jobs[1].out
    desk.ok("worker", "--burst", **NORTH)
    for job in jobs:
        found = desk.ok("results", job.out.strip()).lines
        assert sorted(result["reference"] for result in found) == sorted(references)
    assert {row["cancel_calls"] for row in desk.record(references).values()} == {2}


async def test_lists_that_are_short_for_a_413_are_told_with_what_was_refused(desk: Desk, ledger):
    job = hand_in(desk, *desk.fresh(1), account="default")
    await serve(ledger, "default", ahead_s=60)
    search = '{"refused": 31, "taken": 30, "since": 0, "failed": 0}'
    await ledger.hset("cancellist:account:default:state", mapping={"list_size": 30, "list_search": search})
    assert (rows(desk)["default"]["list_size"], rows(desk)["default"]["list_refused"]) == (30, 31)
    status = desk.ok("status", job, "--json").document
    assert (status["account_list_size"], status["account_list_refused"]) == (30, 31)
    assert "31 references a call were refused (HTTP 413)" in " ".join(desk.ok("accounts").out.split())
    checks = {check["check"]: check["found"] for check in desk.run("doctor", "--json").document["checks"]}
    assert checks["account default"].endswith("at most 30 references, since the platform has refused 31 (HTTP 413)")
    await ledger.hset("cancellist:account:default:state", "size", 12)
    assert (rows(desk)["default"]["list_size"], rows(desk)["default"]["list_refused"]) == (12, None)


async def test_accounts_lists_state_host_and_limits_and_never_a_key(desk: Desk, ledger):
    key = "q9-very-secret"
    desk.file("key", key)
    settings = NORTH | {
        "accounts__south__api_url": "https://platform.example/base", "accounts__south__api_key": key,
        "accounts__south__max_calls_per_second": "5", "accounts__west__api_url": "https://west.example",
        "accounts__west__api_key_file": "key",
    }  # fmt: skip
    await serve(ledger, "north", "east")
    await ledger.zadd("cancellist:workers", {"w1": (await ledger.time())[0] * 1000})
    seconds, _ = await ledger.time()
    hold = {"hold_until": (seconds + 60) * 1000, "hold_why": "the platform is \x1b[31moverloaded"}
    await ledger.hset("cancellist:account:south:state", mapping=hold)
    found = rows(desk, **settings)
    assert list(found) == ["default", "east", "north", "south", "west"]
    assert all(list(row) == ROW for row in found.values())
    north, south = found["north"], found["south"]
    assert (north["state"], north["key"], north["max_references_per_call"], north["workers"]) == (
        "running",
        False,
        7,
        1,
    )
    assert north["platform"] == desk.platform.url.removeprefix("http://")
    assert (south["state"], south["platform"], south["key"]) == ("held", "platform.example", True)
    assert (south["max_calls_per_second"], south["workers"]) == (5, 0)
    assert "overloaded" in south["held_because"]
    assert south["held_until"]
    assert found["west"]["key"] is True
    assert (found["east"]["platform"], found["east"]["workers"]) == (None, 1)
    shown = desk.ok("accounts", **settings)
    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        ["default", "running"], ["east", "running"], ["north", "running"], ["south", "held"], ["west", "running"]
    ]  # fmt: skip
    assert "no worker serves it" in shown.out
    assert "\x1b" not in shown.out
    assert key not in shown.out + shown.err + str(found)


def test_a_misspelt_setting_in_the_environment_is_told_and_one_of_an_account_stops_the_command(desk: Desk, ledger):
    told = desk.ok("accounts", max_concurent_calls="3")
    wanted = (
        "CANCELLIST_MAX_CONCURENT_CALLS is not a setting and is ignored; did you mean CANCELLIST_MAX_CONCURRENT_CALLS?"
    )
    assert told.err == f"cancellist: {wanted}\n"
    assert wanted in desk.ok("worker", "--burst", max_concurent_calls="3").err
    done = desk.run("accounts", accounts__north__burts="3")
    mend = "CANCELLIST_ACCOUNTS__NORTH__BURTS: no such setting; did you mean BURST?"
    assert (done.status, done.out, done.err) == (1, "", f"cancellist: {mend}\n")


def test_a_worker_whose_key_file_holds_no_key_does_not_start(desk: Desk, ledger):
    desk.file("empty", "\n")
    done = desk.run("worker", "--burst", accounts__north__api_key_file="empty")
    assert done.status == 1
    assert done.err.splitlines()[-1] == "cancellist: CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE: empty holds no key"


def test_a_refused_key_is_told_wherever_its_job_is_with_the_reason_and_what_mends_this_account(desk: Desk, ledger):
    desk.platform.send("PUT", "/sandbox/settings", {"api_key": "right"})
    try:
        file = desk.file("north.key", "q9-wrong")
        settings = NORTH | {"accounts__north__api_key_file": str(file)}
        job = hand_in(desk, *desk.fresh(20), **settings)
        refused = desk.run("worker", "--burst", **settings)
        mends = ("HTTP 401", "CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE", "`cancellist resume --account north`")
        places = [
            refused.err,
            desk.ok("status", job).out,
            desk.ok("jobs").err,
            desk.ok("accounts", **settings).out,
            desk.ok("jobs", "--json").document["jobs"][0]["account_breaker"]["why"],
            rows(desk, **settings)["north"]["breaker"]["why"],
        ]
        assert refused.status == 1
        assert [words for told in places for words in mends if words not in told] == []
        assert not any("q9-wrong" in told for told in places)
        [row] = [line for line in desk.ok("jobs").out.splitlines() if line.startswith(job)]
        assert "queued, account tripped" in row or "running, account tripped" in row
        assert rows(desk, **settings)["north"]["breaker_opened"] == 1
        file.write_text("right", encoding="utf-8")
        assert desk.ok("resume", "--account", "north", **settings).out == "tripped\n"
        desk.ok("worker", "--burst", **settings)
        assert desk.ok("status", job, "--json").document["pending"] == 0
        assert "tripped" not in desk.ok("jobs").err + desk.ok("jobs").out
    finally:
        desk.platform.send("PUT", "/sandbox/settings", {"api_key": None})


def test_the_list_of_jobs_says_that_an_account_is_paused_and_how_it_goes_on(desk: Desk, ledger):
    job = hand_in(desk, *desk.fresh(3), **NORTH)
    desk.ok("pause", "--account", "north", **NORTH)
    shown = desk.ok("jobs")
    assert "queued, account paused" in next(line for line in shown.out.splitlines() if line.startswith(job))
    assert shown.err == "account north is paused: `cancellist resume --account north` resumes it\n"
    desk.ok("abort", "--yes", job)
    assert desk.ok("jobs").err == ""
