"""Reinstating on the command line: who may, what is shown and typed, and what is created.

What happens where answers are lost and runs die is in test_reinstate_once.py.
"""

import asyncio
import json
from pathlib import Path

import pytest

from cancellist.jobs.ledger import reinstatements
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from cancellist.worker.snapshots.cipher import make_key
from tests.support.commands import Desk
from tests.support.reinstating import ANNA, BO, CARL, a_reinstating_desk, cancel, new_ones, told_at


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_reinstating_desk(tmp_path_factory.mktemp("reinstate")) as desk:
        yield desk


@pytest.fixture(scope="module")
def pool(desk: Desk):
    """References that a job has cancelled, each for one test; at the end the job."""
    references = desk.fresh(12)
    return [*references, cancel(desk, references)]


def nothing_new(desk: Desk, *references: str) -> bool:
    return not any(new_ones(desk, reference) for reference in references)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"reinstate": "false"}, "CANCELLIST_REINSTATE is off"),
        ({"token": ""}, "a reinstatement needs to know who you are; set CANCELLIST_TOKEN"),
        ({"token": CARL}, "carl lacks the role approve"),
        ({"snapshot_dir": ""}, "CANCELLIST_SNAPSHOT_DIR is not set"),
    ],
)
def test_it_is_off_and_only_who_may_approve_can(desk: Desk, pool, settings, told):
    done = desk.run("reinstate", pool[0], *told_at(desk, 1), **settings)
    assert (done.status, told in done.err) == (1, True), done
    assert nothing_new(desk, pool[0])


def test_what_would_be_created_is_shown_and_its_number_and_host_are_typed(desk: Desk, pool):
    host, old = desk.platform.url.removeprefix("http://"), pool[1]
    for keys in ("2\n", "y\n", "1\napi.example.com\n"):
        left = desk.typed("reinstate", old, keys=keys, after="Type the number")
        assert (left.status, "nothing was created" in left.out) == (1, True), left
    assert nothing_new(desk, old)
    record = desk.platform.get(f"/consignments/{old}")
    done = desk.typed("reinstate", old, keys=f"1\n{host}\n", after="Type the number")
    (new,) = new_ones(desk, old)
    for words in (
        f"1 consignment would be created on sandbox {host}, account default", f"{old}, for Sam Customer",
        "price, label and pickup may differ", "it cannot be undone", "Type the name of the host", f"{old} {new}",
    ):  # fmt: skip
        assert words in " ".join(done.out.split()), (words, done.out)
    again = desk.platform.get(f"/consignments/{new}")
    for name in ("Addresses", "Direction", "Source", "ConsignmentReferenceProvidedByCustomer"):
        assert again[name] == record[name]
    assert again["Packages"][0]["Dimensions"] == record["Packages"][0]["Dimensions"]
    assert (again["ConsignmentState"], again["Reference"] == old) == ("Unallocated", False)


def test_a_script_gives_both_and_a_wrong_one_creates_nothing(desk: Desk, pool):
    old = pool[2]
    host = desk.platform.url.removeprefix("http://")
    for options, status in (
        ((), 2), (("--count", 1), 2), (("--host", host), 2), (("--count", 2, "--host", host), 1),
        (("--count", 1, "--host", "api.electioapp.com"), 1), (("--dry-run",), 0),
    ):  # fmt: skip
        assert desk.run("reinstate", old, *options).status == status, options
    assert nothing_new(desk, old)
    assert not (Path(desk.settings["snapshot_dir"]) / "reinstated.other.jsonl").exists()


def test_a_job_is_told_in_full_and_what_came_of_it_is_a_private_file(desk: Desk):
    good, manifested, cancelled = desk.fresh(3), desk.fresh(1, "Manifested"), desk.fresh(1, "Cancelled")
    job = cancel(desk, [*good, *manifested, *cancelled])
    planned = desk.ok("reinstate", job, "--dry-run", "--json").document
    assert (planned["state"], planned["to_create"], planned["created"]) == ("planned", 3, 0)
    made = desk.folder / "made.csv"
    done = desk.ok("reinstate", job, *told_at(desk, 3), "--output", made)
    assert "1 not cancelled on the platform now" in done.err
    assert "1 cancelled before the job" in done.err
    pairs = dict(line.split() for line in done.out.splitlines())
    assert pairs == {old: new for old in good for new in new_ones(desk, old)}
    assert nothing_new(desk, *manifested, *cancelled)
    assert made.stat().st_mode & 0o777 == 0o600
    assert [row.split(",")[2] for row in made.read_text().splitlines()[1:4]] == ["created"] * 3
    again = desk.ok("reinstate", job, "--json").document
    fates = {one["reference"]: (one["outcome"], one["new_reference"]) for one in again["results"]}
    assert {old: ("already_created", new) for old, new in pairs.items()}.items() <= fates.items()
    assert (fates[manifested[0]][0], fates[cancelled[0]][0]) == ("not_cancelled", "cancelled_before")
    entries = [one for one in desk.ok("audit", "--job", job, "--json").document["entries"] if one["what"] != "enqueue"]
    assert [(one["what"], one["token"]) for one in entries] == [("reinstate", "anna")] * 2
    assert "count=3 created=3" in entries[0]["about"]


def test_a_job_that_has_not_ended_and_a_name_that_nobody_knows(desk: Desk, pool):
    job = desk.ok("enqueue", "-", "--snapshot", "--hold", "1h", text="\n".join(desk.fresh(1))).out.strip()
    for name in (job, "EC-ZZZ-ZZZ-ZZZ"):
        done = desk.run("reinstate", name, *told_at(desk, 1))
        assert (done.status, "no record is kept here" in done.err) == (1, True)


@pytest.mark.parametrize("wrong", ["key", "altered"])
def test_records_that_cannot_be_trusted_create_nothing(desk: Desk, wrong):
    references = desk.fresh(2)
    job = cancel(desk, references)
    settings, (file,) = {}, Path(desk.settings["snapshot_dir"]).glob(f"{job}.*")
    if wrong == "key":
        make_key(desk.folder / "other.key")
        settings = {"snapshot_key_file": str(desk.folder / "other.key")}
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    done = desk.run("reinstate", job, *told_at(desk, 2), **settings)
    one = desk.run("reinstate", references[0], *told_at(desk, 1), **settings)
    file.unlink()  # other tests read all that is in the folder
    assert (done.status, "cannot be read whole" in done.err) == (1, True), done
    assert (one.status, "cannot be read whole" in one.err) == (1 if wrong == "key" else 0, True), one
    assert nothing_new(desk, references[1])


def test_where_the_account_asks_for_it_another_person_approves(desk: Desk, pool):
    old, asks = pool[3], {"approve_above": "0"}
    waits = desk.run("reinstate", old, "--json", **asks)
    assert (waits.status, waits.document["state"]) == (5, "waiting")
    token = waits.document["plan"]
    for name, who, told in (
        (old, ANNA, "anna has planned it"), (old, CARL, "lacks the role"), (pool[4], BO, "of other consignments"),
    ):  # fmt: skip
        done = desk.run("reinstate", name, "--plan", token, *told_at(desk, 1), **asks, token=who)
        assert (done.status in {1, 5}, told in done.err) == (True, True), done
    assert nothing_new(desk, old, pool[4])
    two = desk.run("reinstate", old, "--plan", token, *told_at(desk, 1), approvals_required="2", token=BO)
    assert (two.status, "1 more must approve it" in two.err) == (5, True), two
    assert nothing_new(desk, old)
    stolen = desk.run("enqueue", "-", "--plan", token, text=old)
    assert (stolen.status, "was made of other references" in stolen.err) == (5, True), stolen
    done = desk.ok("reinstate", old, "--plan", token, *told_at(desk, 1), **asks, token=BO)
    assert "planned by anna, approved by bo" in done.err
    assert len(new_ones(desk, old)) == 1


async def forget_safeguards(desk: Desk) -> None:
    redis = await connect(desk.url)
    try:
        assert await redis.hdel("cancellist:account:default:state", "safeguards")
    finally:
        await redis.aclose()


async def another_run_has(desk: Desk, old: str, has: bool) -> None:
    """Claims a consignment as another run does before it sends, or gives it back unsent."""
    redis = await connect(desk.url)
    try:
        if has:
            await reinstatements.claim(Ledger(redis), "default", old, attempt="a", run="r", lease_ms=600_000)
        else:
            await reinstatements.free(Ledger(redis), "default", old, "a")
    finally:
        await redis.aclose()


def test_an_approval_is_of_no_more_than_was_planned_and_of_no_second_creation(desk: Desk):
    one, other = desk.fresh(2)
    job = cancel(desk, [one, other])
    asks = {"approve_above": "0", "approvals_required": "2"}
    asyncio.run(another_run_has(desk, other, True))
    few = desk.run("reinstate", job, "--json", **asks)
    assert (few.status, few.document["to_create"]) == (5, 1)
    asyncio.run(another_run_has(desk, other, False))
    token = few.document["plan"]
    more = desk.run("reinstate", job, "--plan", token, *told_at(desk, 2), **asks, token=BO)
    assert (more.status, "it is of 1 to be created, and 2 would be now" in more.err) == (5, True), more
    again = desk.run("reinstate", job, "--plan", token, "--again", *told_at(desk, 2), **asks, token=BO)
    assert (again.status, "with or without --again" in again.err) == (5, True), again
    assert nothing_new(desk, one, other)


def test_what_a_worker_asks_for_binds_who_has_no_such_setting(desk: Desk, pool):
    old = pool[5]
    desk.ok("worker", "--burst", approve_above="0", approvals_required="2")
    waits = desk.run("reinstate", old, *told_at(desk, 1), "--json")
    assert (waits.status, waits.document["state"]) == (5, "waiting")
    token = waits.document["plan"]
    one = desk.run("reinstate", old, "--plan", token, *told_at(desk, 1), token=BO)
    assert (one.status, "1 more must approve it" in one.err) == (5, True), one
    asyncio.run(forget_safeguards(desk))
    assert nothing_new(desk, old)


def test_a_run_has_a_receipt_that_stands_for_the_file_of_old_and_new_references(desk: Desk, pool):
    folder, key = Path(desk.settings["snapshot_dir"]), desk.folder / "receipt.pem"
    desk.ok("receipt", "--new-key", key)
    asks = {"approve_above": "0", "receipt_key_file": str(key)}
    token = desk.run("reinstate", pool[6], "--json", **asks).document["plan"]
    done = desk.ok("reinstate", pool[6], "--plan", token, *told_at(desk, 1), "--json", **asks, token=BO)
    file = Path(done.document["receipt"])
    made = json.loads(file.read_bytes())
    assert (made["by"], made["counts"], made["state"]) == ("bo", {"created": 1}, "done")
    assert made["approvals"] == {"given": ["bo"], "planned_by": "anna", "wanted": 1}
    entry = desk.ok("audit", "--json").document["entries"][0]
    assert f"receipt={made['digest']}" in entry["about"]
    journal = folder / made["file"]["name"]
    desk.ok("reinstate", pool[7], *told_at(desk, 1))  # what is added later does no harm
    checks = ("--key", f"{key}.pub", "--results", journal)
    verified = desk.ok("verify", file, *checks)
    assert f"verified: reinstatement {made['run']} of {pool[6]} by bo: 1 created" in verified.out
    alone = desk.run("verify", file, "--result", pool[6])
    assert (alone.status, "check them alone" in alone.err) == (1, True), alone
    (desk.folder / "altered.jsonl").write_bytes(journal.read_bytes().replace(pool[6].encode(), pool[7].encode(), 1))
    refused = desk.run("verify", file, "--results", desk.folder / "altered.jsonl")
    assert (refused.status, "references was altered since" in refused.err) == (1, True), refused
    (desk.folder / "cut.jsonl").write_bytes(journal.read_bytes()[: made["file"]["bytes"] - 1])
    refused = desk.run("verify", file, "--results", desk.folder / "cut.jsonl")
    assert (refused.status, "lines were taken away" in refused.err) == (1, True), refused


def test_what_the_platform_refuses_is_told_in_its_words_and_many_refusals_stop_it(desk: Desk):
    references = desk.fresh(12)
    job = cancel(desk, references)
    with desk.faults("create:422-before"):
        done = desk.run("reinstate", job, *told_at(desk, 12), "--json")
    found = [one["outcome"] for one in done.document["results"]]
    assert (done.status, done.document["state"], set(found)) == (5, "halted", {"refused", "pending"})
    assert 5 <= found.count("refused") <= 5 + 3
    assert "HTTP 422: The list cannot be processed" in json.dumps(done.document)
    assert nothing_new(desk, *references)
    assert desk.ok("reinstate", job, *told_at(desk, 12), "--json").document["created"] == 12
