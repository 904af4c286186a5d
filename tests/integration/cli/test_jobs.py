"""Looking at jobs, reading their results, and stopping them."""

import csv
import io
import json
import signal

import pytest

from cancellist.jobs.ledger.server.connection import connect
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

STATUS = [
    "job", "state", "total", "pending", "in_flight", "outcomes", "created_at", "started_at", "finished_at", "rate",
    "eta_seconds", "at_risk", "duplicates", "invalid", "account", "priority", "reason", "requested_by", "deadline",
    "start_at", "idempotency_key", "hold_until", "submitted_by", "intake_entry", "max_refused", "max_unconfirmed",
    "canary", "snapshot", "halted", "overridden_by", "override_reason", "overrode", "approval", "retry_of",
    "retried_by",
    "all_stopped", "account_new_host", "account_paused", "account_keeps_no_records",
    "account_held_until", "account_held_because", "account_breaker", "account_limit", "account_calls_per_second",
    "account_list_size", "account_list_refused", "calls_in_flight", "workers",
]  # fmt: skip
RESULT = ["job", "reference", "outcome", "message", "status", "state", "attempts", "at"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("jobs")) as desk:
        yield desk


@pytest.fixture(scope="module")
def ended(desk: Desk):
    """A job that has ended: 40 cancelled, 5 manifested, 2 already cancelled, 2 malformed."""
    references = [*desk.fresh(40), *desk.fresh(5, "Manifested"), *desk.fresh(2, "Cancelled")]
    text = "\n".join([*references, '=HYPERLINK("http://example.com")', "[red]odd[/red]"])
    options = ["--reason", "recall\x1b[31m", "--requested-by", "j.doe", "--deadline", "+2h", "--priority", "urgent"]
    job = desk.ok("enqueue", "-", *options, text=text).out.strip()
    desk.drain()
    return job


def hand_in(desk: Desk, count: int, *options: str) -> str:
    return desk.ok("enqueue", "-", *options, text="\n".join(desk.fresh(count))).out.strip()


def test_the_status_of_a_job_is_the_documented_document(desk: Desk, ended):
    document = desk.ok("status", ended, "--json").document
    assert list(document) == STATUS
    assert (document["job"], document["state"], document["total"]) == (ended, "completed", 49)
    assert document["outcomes"] == {"cancelled": 40, "already_cancelled": 2, "manifested": 5, "invalid": 2}
    assert (document["pending"], document["in_flight"], document["invalid"]) == (0, 0, 2)
    assert document["rate"] > 0
    assert document["eta_seconds"] == 0
    assert document["at_risk"] == 0
    assert document["created_at"] < document["started_at"] < document["finished_at"] < document["deadline"]
    assert document["finished_at"].endswith("Z")
    assert (document["priority"], document["requested_by"], document["account"]) == ("urgent", "j.doe", "default")
    assert [job for job in desk.ok("jobs", "--json").document["jobs"] if job["job"] == ended] == [document]


def test_status_and_jobs_for_people_show_it_without_foreign_control_characters(desk: Desk, ended):
    status = desk.ok("status", ended)
    assert "completed" in status.out
    assert "recall\\x1b[31m" in status.out
    assert "\x1b" not in status.out
    row = next(line for line in desk.ok("jobs").out.splitlines() if line.startswith(ended))
    for word in ("completed", "49", "100 %", "42 done", "7 refused"):
        assert word in row


@pytest.mark.parametrize("command", ["status", "results", "watch", "pause", "resume", "abort", "retry"])
def test_an_unknown_job_is_one_line_and_exit_1(desk: Desk, command):
    done = desk.run(command, "nosuchjob\x1b[2J")
    assert (done.status, done.out) == (1, "")
    assert done.err == "cancellist: no job 'nosuchjob\\x1b[2J'; `cancellist jobs` lists those there are\n"


def test_results_are_json_lines_where_they_are_piped(desk: Desk, ended):
    found = desk.ok("results", ended).lines
    assert len(found) == 49
    assert all(list(result) == RESULT for result in found)
    by_outcome = {result["outcome"]: result for result in found}
    assert by_outcome["cancelled"]["status"] == 200
    assert by_outcome["cancelled"]["message"] is None
    assert by_outcome["manifested"]["state"] == "Manifested"
    assert "cannot be cancelled" in by_outcome["manifested"]["message"]
    assert by_outcome["invalid"]["attempts"] == 0
    assert desk.ok("results", ended, "--json").lines == found
    some = desk.ok("results", ended, "--outcome", "manifested", "--outcome", "invalid").lines
    assert [result for result in found if result["outcome"] in {"manifested", "invalid"}] == some


def test_results_as_csv_are_whole_and_safe_in_a_spreadsheet(desk: Desk, ended):
    rows = list(csv.DictReader(io.StringIO(desk.ok("results", ended, "--format", "csv").out)))
    assert list(rows[0]) == RESULT
    assert len(rows) == 49
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert '\'=HYPERLINK("http://example.com")' in [row["reference"] for row in rows]


def test_results_as_a_table_have_a_heading_and_a_line_each(desk: Desk, ended):
    lines = desk.ok("results", ended, "--format", "table").out.splitlines()
    assert lines[0].split() == ["reference", "outcome", "attempts", "status", "at", "state", "message"]
    assert len(lines) == 2 + 49
    assert any("[red]odd[/red]" in line for line in lines)


def test_results_as_parquet_are_whole_and_neither_drawn_nor_followed(desk: Desk, ended):
    import pyarrow.parquet as pq

    job = ended
    rows = desk.ok("results", job).lines
    target = desk.folder / "results.parquet"
    desk.ok("results", job, "--format", "parquet", "--output", target)
    found = pq.read_table(target).to_pylist()
    for one in found:
        one["at"] = one["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert found == rows
    refused = desk.run("results", job, "--format", "parquet", "--follow")
    assert (refused.status, "before its end" in refused.err) == (2, True)
    assert "give --output FILE" in desk.typed("results", job, "--format", "parquet").out


def test_results_can_go_to_a_file_that_is_there_only_when_it_is_whole(desk: Desk, ended):
    path = desk.folder / "results.csv"
    done = desk.ok("results", ended, "--format", "csv", "--output", path)
    assert done.out == ""
    assert len(path.read_text().splitlines()) == 50
    assert list(desk.folder.glob(".results*")) == []
    refused = desk.run("results", ended, "--output", desk.folder / "no" / "such" / "folder.csv")
    assert refused.status == 1
    assert "cannot be written" in refused.err
    assert desk.run("results", ended, "--json", "--format", "csv").status == 2


def test_a_reader_that_leaves_early_is_no_error_worth_telling(desk: Desk, ended):
    with desk.started("results", ended) as reading:
        reading.stdout.close()
        reading.stdout = None
        reading.wait(20)
        assert reading.stderr.read() == ""


@pytest.mark.parametrize("command", [("watch", "--json"), ("watch",), ("results", "--follow")])
def test_one_that_waits_for_something_to_write_ends_once_its_reader_has_left(desk: Desk, command):
    held = desk.ok("enqueue", "-", "--start-at", "+9h", text="\n".join(desk.fresh(2))).out.strip()
    with desk.started(command[0], held, *command[1:]) as following:
        if command[0] == "watch":
            assert held in following.stdout.readline()
        following.stdout.close()
        following.stdout = None
        assert following.wait(20) == 0
        assert following.stderr.read() == ""
    desk.ok("abort", "--yes", held)


async def test_results_that_were_trimmed_are_said_to_be_gone(desk: Desk):
    job = hand_in(desk, 20)
    desk.drain()
    last = desk.ok("results", job).lines[-1]
    redis = await connect(desk.url)
    entries = await redis.xrevrange("cancellist:results", count=5)
    assert entries[0][1][b"reference"].decode() == last["reference"]
    await redis.xdel("cancellist:results", *(entry for entry, _ in entries))
    await redis.aclose()
    done = desk.run("results", job)
    assert done.status == 1
    assert len(done.lines) == 15
    assert "5 results are gone" in done.err


def test_results_and_watch_follow_a_job_to_its_end(desk: Desk):
    job = hand_in(desk, 300)
    with desk.started("results", job, "--follow") as results, desk.started("watch", job, "--json") as watch:
        assert json.loads(watch.stdout.readline())["state"] == "queued"
        desk.drain()
        found = [json.loads(line) for line in results.stdout]
        changes = [json.loads(line) for line in watch.stdout]
        assert (results.wait(10), watch.wait(10)) == (0, 0)
    assert len({result["reference"] for result in found}) == len(found) == 300
    assert list(changes[-1]) == STATUS
    assert (changes[-1]["state"], changes[-1]["outcomes"]) == ("completed", {"cancelled": 300})
    settled = [sum(change["outcomes"].values()) for change in changes]
    assert settled == sorted(settled)


def test_watch_without_a_job_ends_when_nothing_is_unfinished(desk: Desk):
    desk.drain()
    done = desk.ok("watch")
    assert "no job is unfinished" in done.err
    job = hand_in(desk, 30)
    with desk.started("watch") as watch:
        assert watch.stdout.readline().startswith(f"{job} queued: 0 of 30 (0 %)")
        desk.drain()
        assert watch.stdout.read().startswith(f"{job} completed in")
        assert watch.wait(10) == 0


def test_ctrl_c_ends_watching_with_130(desk: Desk):
    job = hand_in(desk, 3, "--start-at", "+1h")
    with desk.started("watch", job) as watch:
        assert "held until" in watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 130
        assert watch.stderr.read() == ""
    desk.ok("abort", "--yes", job)


def test_a_paused_job_waits_until_it_is_resumed(desk: Desk):
    job = hand_in(desk, 150)
    assert desk.ok("pause", job).out == "paused\n"
    desk.drain()
    assert desk.ok("status", job, "--json").document["pending"] == 150
    resumed = desk.ok("resume", job, "--json").document
    assert (list(resumed), resumed["state"]) == (STATUS, "queued")
    desk.drain()
    assert desk.ok("status", job, "--json").document["outcomes"] == {"cancelled": 150}
    ended = desk.run("pause", job)
    assert (ended.status, ended.err) == (1, f"cancellist: job {job} is completed and cannot be paused\n")


def test_a_paused_account_keeps_all_its_jobs_until_it_is_resumed(desk: Desk):
    job = hand_in(desk, 20)
    assert desk.ok("pause", "--json").document["state"] == "paused"
    desk.drain()
    seen = desk.ok("status", job, "--json").document
    assert (seen["pending"], seen["account_paused"]) == (20, True)
    assert "its account is paused" in desk.ok("status", job).out
    assert desk.ok("resume", "--account", "default").out == "running\n"
    desk.drain()
    assert desk.ok("status", job, "--json").document["pending"] == 0
    assert desk.run("pause", "--account", "other").status == 1
    assert desk.run("pause", job, "--account", "default").status == 2


def test_an_aborted_job_ends_unsent(desk: Desk):
    job = hand_in(desk, 50)
    references = desk.platform.references(1)
    done = desk.ok("abort", "--yes", job)
    assert done.out == "aborted\n"
    assert "50 references aborted, never sent" in done.err
    found = desk.ok("results", job).lines
    assert {(result["outcome"], result["attempts"]) for result in found} == {("aborted", 0)}
    assert not any(row["cancel_calls"] for row in desk.record([result["reference"] for result in found]).values())
    assert references
    again = desk.ok("abort", "--yes", job, "--json").document
    assert again["state"] == "aborted"
