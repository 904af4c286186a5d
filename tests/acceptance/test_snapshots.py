"""Snapshots with real workers: each consignment's record is on the disk before a call can act, or no call is made."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from cancellist.jobs.ledger import failed_calls, snapshots
from cancellist.jobs.model import JobRequest, JobState, Outcome
from cancellist.jobs.safety.snapshot import Entry, chosen
from cancellist.worker.snapshots.cipher import load_cipher, make_key
from cancellist.worker.snapshots.reading import entries_of
from tests.security.test_secrets import everything_in
from tests.support import ROOT, processes
from tests.support.stage import Stage, agrees, all_results, ended, settled, submit, wait_for

pytestmark = pytest.mark.acceptance

ORDER = JobRequest(snapshot=True)
OPEN = {"Allocated", "ReadyToShip"}


@pytest.fixture
def kept(valkey_stage: Stage) -> Stage:
    """A stage whose workers have a folder and a key for records."""
    folder, key = valkey_stage.folder / "snapshots", valkey_stage.folder / "snapshot.key"
    folder.mkdir()
    make_key(key)
    valkey_stage.settings |= {
        "snapshot_dir": str(folder),
        "snapshot_key_file": str(key),
        "retry_base": "0.1",
        "retry_cap": "0.2",
    }
    return valkey_stage


def entries(stage: Stage, job: str) -> Iterator[Entry]:
    """All entries that can be read; a file may be torn, and must not be damaged."""
    cipher = load_cipher(Path(stage.settings["snapshot_key_file"]))
    for read, entry in entries_of(Path(stage.settings["snapshot_dir"]), job, cipher):
        assert read.why is None
        if entry:
            yield entry


def best_of(stage: Stage, job: str) -> dict[str, Entry]:
    found: dict[str, list[Entry]] = {}
    for entry in entries(stage, job):
        found.setdefault(entry.reference, []).append(entry)
    best = {reference: chosen(some) for reference, some in found.items()}
    return {reference: entry for reference, entry in best.items() if entry}


def ran(stage: Stage, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command as a user of the same machine does."""
    command = [sys.executable, "-m", "cancellist", *arguments]
    return processes.run(command, cwd=ROOT, env=stage.environment(), text=True, timeout=60)


def written(stage: Stage) -> str:
    """What workers have logged, and what stands in the files of records."""
    files = [*Path(stage.settings["snapshot_dir"]).iterdir(), *(worker.log for worker in stage.workers)]
    return "".join(path.read_bytes().decode("latin-1") for path in files)


def alter_one(stage: Stage) -> str:
    """Changes the last byte of a file of records, and returns the file's name."""
    file = next(Path(stage.settings["snapshot_dir"]).iterdir())
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    return file.name


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that nobody may enter for a block."""
    folder.rename(folder.with_name("away"))
    try:
        yield
    finally:
        folder.with_name("away").rename(folder)


@pytest.mark.takes(8)
async def test_whatever_was_cancelled_has_a_record_of_before_though_workers_are_killed(kept: Stage) -> None:
    world = kept.platform
    references = world.references(260, unknown=3)
    before = world.get(f"/consignments/{world.open_references(1)[0]}")
    kept.settings |= {"max_references_per_call": "20"}
    workers = [kept.worker() for _ in range(3)]
    async with kept.ledger() as ledger:
        job = await submit(ledger, references, ORDER)
        for n in range(2):
            await settled(ledger, job, 40 * (n + 1))
            workers[n].end(signal.SIGKILL)
            workers.append(kept.worker())
        await ended(ledger, job, 60)
        outcomes = {r.reference: r.outcome for r in await all_results(ledger, job)}
    best, record = best_of(kept, job), world.record(references)
    acted = [r for r in references if record[r]["cancelled_by_call"] is not None]
    assert len(acted) > 200
    assert {best[r].record["ConsignmentState"] for r in acted} <= OPEN
    assert {best[r].host for r in acted} == {world.url.removeprefix("http://")}
    # A killed worker may have had them: then nobody knows whether it has called them.
    assert {outcomes[r] for r in references[-3:]} <= {Outcome.FAILED, Outcome.UNCONFIRMED}
    assert world.get("/sandbox/stats")["peak_in_flight"] <= 8
    private = [json.dumps(before["Addresses"][at][name]).strip('"') for at in (0, 1) for name in ("Postcode", "Town")]
    with Redis.from_url(kept.server.url) as redis:
        stored = everything_in(redis)
    told = stored + written(kept)
    assert all(private)
    assert not [word for word in [*private, "AddressLine1"] if word in told]
    shown = ran(kept, "snapshots", job, "--reference", world.open_references(1)[0].lower(), "--json")
    assert json.loads(shown.stdout)["record"] == before
    altered = alter_one(kept)
    listed = ran(kept, "snapshots", job, "--json")
    assert (listed.returncode, json.loads(listed.stdout)["job"]) == (1, job)
    assert [one["error"] for one in json.loads(listed.stdout)["files"] if one["file"] == altered] != [None]
    assert altered in listed.stderr


async def test_a_record_that_cannot_be_read_leaves_its_consignment_alone(kept: Stage) -> None:
    world = kept.platform
    good, bad = world.open_references(30)[:20], world.open_references(30)[20:]
    kinds = ("reads:409-before", "reads:422-before", "reads:stale-age", "reads:empty", "reads:500-before")
    world.send("PUT", "/sandbox/settings", {"at": {r: {kinds[n % 5]: None} for n, r in enumerate(bad)}})
    kept.worker(max_attempts=2)
    async with kept.ledger() as ledger:
        job = await submit(ledger, good + bad, ORDER)
        await ended(ledger, job, 60)
        found = {r.reference: r for r in await all_results(ledger, job)}
    record = world.record(good + bad)
    assert {found[r].outcome for r in good} == {Outcome.CANCELLED}
    assert len({record[r]["cancelled_by_call"] for r in good}) == 1  # what was kept went to the first call
    assert {record[r]["state"] for r in bad} <= OPEN
    for reference in bad:
        assert (found[reference].outcome, (found[reference].message or "")[:27]) == (
            Outcome.FAILED,
            "its record could not be kep",
        )


async def test_without_a_folder_or_room_nothing_is_cancelled_and_it_is_told_and_can_be_retried(kept: Stage) -> None:
    world, folder = kept.platform, Path(kept.settings["snapshot_dir"])
    references = world.open_references(20)
    worker = kept.worker(max_attempts=3)
    async with kept.ledger() as ledger:
        with closed(folder):
            job = await submit(ledger, references, ORDER)
            other = await submit(ledger, world.open_references(40)[20:])
            await ended(ledger, job, 60)
            await ended(ledger, other, 60)
        found = await all_results(ledger, job)
        tries = [one async for one in failed_calls.of_reference(ledger, "default", job, references[0])]
        assert {r.outcome for r in await all_results(ledger, other)} == {Outcome.CANCELLED}
    why = "its record could not be kept: CANCELLIST_SNAPSHOT_DIR: No such file or directory"
    assert {(r.outcome, r.message, r.attempts) for r in found} == {(Outcome.FAILED, why, 0)}
    assert {row["cancelled_by_call"] for row in world.record(references).values()} == {None}
    assert tries
    assert "records could not be kept" in worker.log.read_text()
    done = ran(kept, "retry", job, "--yes", "--wait", "--json")
    assert done.returncode == 0, done.stderr


async def test_a_worker_without_a_folder_cancels_none_of_them_while_another_does(kept: Stage) -> None:
    references, others = kept.platform.open_references(80)[:60], kept.platform.open_references(80)[60:]
    bare = kept.worker(max_references_per_call=5, max_attempts=1, snapshot_dir="", snapshot_key_file="")
    async with kept.ledger() as ledger:
        job, other = await submit(ledger, references, ORDER), await submit(ledger, others)
        await ended(ledger, other, 60)
        wait_for(lambda: "no worker can keep records, so a job waits" in bare.log.read_text(), 30)
        waits = (await snapshots.look(ledger, job)).record
        assert (waits.state, waits.pending, waits.in_flight) == (JobState.QUEUED, 60, 0)
        assert "waits for a worker with CANCELLIST_SNAPSHOT_DIR" in ran(kept, "status", job).stdout
        kept.worker(max_references_per_call=5, max_attempts=1)
        await ended(ledger, job, 60)
        await agrees(kept, ledger, job, references)
    assert set(best_of(kept, job)) == set(references)
    assert {entry.called for entry in entries(kept, job)} == {False}
    assert bare.process.poll() is None


async def test_a_burst_without_a_folder_ends_and_says_why(kept: Stage) -> None:
    async with kept.ledger() as ledger:
        await submit(ledger, kept.platform.open_references(3), ORDER)
    kept.settings |= {"snapshot_dir": "", "snapshot_key_file": ""}
    finished = ran(kept, "worker", "--burst")
    assert finished.returncode == 1
    assert "wants its records kept, and no worker has CANCELLIST_SNAPSHOT_DIR" in finished.stderr


@pytest.mark.timed
async def test_reads_of_records_obey_the_rate(kept: Stage) -> None:
    references = kept.platform.open_references(120)
    for _ in range(2):
        kept.worker(max_calls_per_second=25, max_references_per_call=10)
    async with kept.ledger() as ledger:
        job = await submit(ledger, references, ORDER)
        await ended(ledger, job, 60)
    starts = sorted(call["started_at"] for call in kept.platform.calls())
    assert len(starts) == 132
    assert max(sum(at <= other < at + 1 for other in starts) for at in starts) <= 28
    assert starts[-1] - starts[0] < 132 / 25 * 1.3


def test_a_worker_that_is_to_keep_all_records_and_has_no_place_does_not_start(valkey_stage: Stage) -> None:
    for settings in ({"snapshot": "true"}, {"snapshot_dir": str(valkey_stage.folder)}):
        worker = valkey_stage.worker(command=("cancellist.cli", "worker"), **settings)
        assert worker.process.wait(30) == 1
        assert "SNAPSHOT" in worker.log.read_text()
        assert "Traceback" not in worker.log.read_text()
