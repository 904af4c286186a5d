"""The index of references: it says what the results stream says, over restarts, trims, kills and damage."""

import asyncio
import itertools
import os
import random
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cancellist.jobs.errors import ReferenceIndexError
from cancellist.jobs.ledger import control, housekeeping
from cancellist.jobs.ledger.claims import Claim, Settlement, Share
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references import index_file, open_references, reference_index
from cancellist.jobs.ledger.references.mentions import Mentions
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState, Outcome, Result
from cancellist.jobs.responses.steps import WriteResult
from tests.contract.steps import (
    AGAIN,
    CANCELLED,
    TERMS,
    A,
    ask,
    claim,
    claims,
    drained,
    refs,
    settle,
    submit,
    what_is_later_comes_due,
)
from tests.support.servers import Server

STREAM = "cancellist:results"
DAY_S = 86_400
WIDE = replace(TERMS, limit=50, per_call=100)


@pytest.fixture(autouse=True)
def small_tables_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "FULL", 70)
    monkeypatch.setattr(reference_index, "BATCH", 20)


@asynccontextmanager
async def opened(ledger: Ledger, folder: Path, keep_s: float = 100 * DAY_S) -> AsyncIterator[ReferenceIndex]:
    index = ReferenceIndex(ledger, folder, jobs_keep_s=keep_s)
    try:
        yield index
    finally:
        await index.close()


async def find(
    ledger: Ledger, folder: Path, reference: str, keep_s: float = 100 * DAY_S, limit: int = 1000
) -> Mentions:
    async with opened(ledger, folder, keep_s) as index:
        return await index.find(reference, before=None, limit=limit)


def found(answer: Mentions) -> list[tuple[str, str | None]]:
    return [(one.id, one.result.outcome if one.result else None) for one in answer.mentions]


async def add(ledger: Ledger, job: str, reference: str, **fields: str) -> str:
    entry = {"job": job, "reference": reference, "outcome": "cancelled", "status": "200", "attempts": "1"} | fields
    return (await ledger.redis.xadd(STREAM, entry)).decode()


def file_of(folder: Path, *, but: Path | None = None) -> Path:
    (path,) = set(folder.glob("references-*.sqlite")) - {but}
    return path


def process(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=subprocess.PIPE)


async def trim(ledger: Ledger, keep_s: float = 0) -> None:
    while any(await housekeeping.trim(ledger, A, results_keep_s=keep_s, jobs_keep_s=DAY_S)):
        pass


async def test_every_job_that_named_a_reference_is_found_with_its_result(ledger: Ledger, tmp_path: Path) -> None:
    assert found(await find(ledger, tmp_path, refs(1)[0])) == []
    first = await submit(ledger, refs(5), reason="one", requested_by="anna")
    refused = WriteResult(Outcome.REJECTED, 2, 400, f"{refs(1)[0]} is\0 bad {refs(1)[0]}", "Allocated")
    taken = await claim(ledger)
    await claims.settle(ledger, A, Settlement(taken.id, [[Share(refused, None, 5)]], (taken.id,)), None, TERMS)
    second = await submit(ledger, refs(3))
    answer = await find(ledger, tmp_path, refs(1)[0])
    assert found(answer) == [(second, None), (first, "rejected")]
    assert answer.complete
    newest, oldest = answer.mentions
    assert newest.job
    assert newest.job.state is JobState.QUEUED
    assert oldest.job
    assert (oldest.job.order.reason, oldest.job.order.requested_by) == ("one", "anna")
    assert oldest.result == Result(
        first, refs(1)[0], Outcome.REJECTED, 400, 2, refused.message, "Allocated", oldest.result.at_ms
    )
    await drained(ledger)
    assert found(await find(ledger, tmp_path, refs(1)[0])) == [(second, "cancelled"), (first, "rejected")]
    assert found(await find(ledger, tmp_path, refs(1, 4)[0])) == [(first, "rejected")]


@pytest.mark.parametrize("place", ["queued", "claimed", "later", "held", "paused", "sealing", "large"])
async def test_a_reference_without_a_result_is_found_wherever_it_waits(
    ledger: Ledger, tmp_path: Path, place: str
) -> None:
    count = 25_050 if place == "large" else 25
    start_ms = await ledger.now_ms() + 3_600_000 if place == "held" else None
    submission = Submission(ledger, JobRequest(start_at_ms=start_ms))
    await submission.add(refs(count))
    if place != "sealing":
        await submission.seal(duplicates=0, idempotency_keep_s=1, per_call=10)
    if place in {"claimed", "later"}:
        taken = [await claim(ledger) for _ in range(3)]
        if place == "later":
            for one in taken:
                await settle(ledger, one, replace(AGAIN, delay_s=100.0))
    if place == "paused":
        await control.pause_job(ledger, submission.job)
    for reference in (refs(count)[0], refs(count)[count // 2], refs(count)[-1]):
        there = [] if place == "sealing" else [(submission.job, None)]
        assert found(await find(ledger, tmp_path, reference)) == there
    assert found(await find(ledger, tmp_path, refs(1, count)[0])) == []
    assert found(await find(ledger, tmp_path, refs(1)[0][:-1])) == []


async def test_a_reference_that_moves_is_found_at_every_moment(ledger: Ledger, tmp_path: Path) -> None:
    job = await submit(ledger, refs(3000))

    async def work() -> None:
        for n in itertools.count():
            if isinstance(taken := await ask(ledger, terms=WIDE), Claim):
                await settle(ledger, taken, replace(AGAIN, delay_s=0.01 * (n % 3)) if n % 9 else CANCELLED, terms=WIDE)
            else:
                await what_is_later_comes_due(ledger)

    working = asyncio.create_task(work())
    async with opened(ledger, tmp_path) as index:
        for n in range(40):
            answer = await index.find(refs(3000)[n * 37], before=None, limit=10)
            assert [one.id for one in answer.mentions] == [job]
    assert not working.done()
    working.cancel()


async def test_what_is_too_much_to_look_through_is_told(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_references, "_MOST_PIECES", 100)
    large, small = await submit(ledger, refs(25_000)), await submit(ledger, refs(5, 50_000))
    answer = await find(ledger, tmp_path, refs(1, 60_000)[0])
    assert (answer.unsearched, answer.complete) == ([large], False)
    answer = await find(ledger, tmp_path, refs(1, 50_000)[0])
    assert (found(answer), answer.unsearched) == ([(small, None)], [large])
    answer = await find(ledger, tmp_path, refs(25_000)[-1])
    assert (found(answer), answer.complete) == ([(large, None)], True)


async def test_it_says_what_the_stream_said_whatever_happens_in_between(ledger: Ledger, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    told: dict[str, list[tuple[str, str]]] = defaultdict(list)
    jobs = [f"35hnsmqb{n:04d}" for n in range(400)]
    index = ReferenceIndex(ledger, tmp_path, jobs_keep_s=100 * DAY_S)
    for _ in range(60):
        match chance.choice(["add", "add", "step", "reopen", "trim read", "find"]):
            case "add":
                job = jobs.pop(0)
                for reference in chance.sample(refs(60), chance.randrange(1, 40)):
                    outcome = chance.choice(list(Outcome))
                    await add(ledger, job, reference, outcome=outcome, message=chance.choice(["a", f"of {reference}"]))
                    told[reference].append((job, outcome))
            case "step":
                await index.step()
            case "reopen":
                await index.close()
                index = ReferenceIndex(ledger, tmp_path, jobs_keep_s=100 * DAY_S)
            case "trim read":
                while await index.step():
                    pass
                await ledger.redis.xtrim(STREAM, maxlen=chance.randrange(30), approximate=False)
            case "find":
                await checked(index, told, refs(1, chance.randrange(61))[0])
    for reference in refs(61):
        await checked(index, told, reference)
    await index.close()


async def checked(index: ReferenceIndex, told: dict[str, list[tuple[str, str]]], reference: str) -> None:
    answer = await index.find(reference, before=None, limit=1000)
    assert found(answer) == told[reference][::-1]
    assert answer.complete
    paged: list[tuple[str, str | None]] = []
    before = None
    while True:
        page = await index.find(reference, before=before, limit=7)
        paged += found(page)
        before = page.next
        if before is None:
            break
    assert paged == found(answer)


async def test_what_was_trimmed_before_it_was_read_is_told(ledger: Ledger, tmp_path: Path) -> None:
    job = await submit(ledger, refs(300))
    await drained(ledger, WIDE)
    async with opened(ledger, tmp_path) as index:
        await index.step()
        await trim(ledger)
        answer = await index.find(refs(300)[150], before=None, limit=10)
        assert found(answer) == []
        assert answer.gap
        assert not answer.complete
        assert found(await index.find(refs(1)[0], before=None, limit=10)) == [(job, "cancelled")]
        await submit(ledger, refs(5))
        assert not (await index.find(refs(1)[0], before=None, limit=10)).complete
        await ledger.redis.zadd("cancellist:finished", {job: 1})
        await trim(ledger)
        answer = await index.find(refs(300)[150], before=None, limit=10)
        assert answer.complete, "no job is known any more that was there by then"


async def test_what_was_gone_before_the_file_was_made_is_told(ledger: Ledger, tmp_path: Path) -> None:
    await submit(ledger, refs(300))
    await drained(ledger, WIDE)
    await trim(ledger)
    answer = await find(ledger, tmp_path, refs(1)[0])
    assert answer.gap
    assert answer.gap.from_ms is None
    assert not answer.complete


async def test_results_outlive_the_stream_and_go_with_the_records_of_their_jobs(ledger: Ledger, tmp_path: Path) -> None:
    job = await submit(ledger, refs(300))
    await drained(ledger, WIDE)
    assert found(await find(ledger, tmp_path, refs(1)[0])) == [(job, "cancelled")]
    await ledger.redis.xtrim(STREAM, maxlen=0, approximate=False)
    assert found(await find(ledger, tmp_path, refs(1)[0])) == [(job, "cancelled")]
    assert found(await find(ledger, tmp_path, refs(1)[0], keep_s=0)) == [(job, "cancelled")], "its record is there"
    await ledger.redis.zadd("cancellist:finished", {job: 1})
    await trim(ledger)
    answer = await find(ledger, tmp_path, refs(1)[0])
    assert [(one.id, one.job) for one in answer.mentions] == [(job, None)], (
        "records may have gone sooner than they keep"
    )
    async with opened(ledger, tmp_path, keep_s=0) as index:
        assert found(await index.find(refs(1)[0], before=None, limit=10)) == []
        await index.step()
        assert index._file
        assert index._file.size()[0] < 70, "whole tables go"


async def test_another_ledgers_file_is_not_believed(ledger: Ledger, tmp_path: Path) -> None:
    await add(ledger, "35hnsmqb0001", refs(1)[0])
    assert found(await find(ledger, tmp_path, refs(1)[0])) == [("35hnsmqb0001", "cancelled")]
    theirs = file_of(tmp_path)
    await ledger.redis.flushall()
    assert found(await find(ledger, tmp_path, refs(1)[0])) == []
    os.replace(theirs, file_of(tmp_path, but=theirs))  # noqa: PTH105 - as a person moves it
    assert found(await find(ledger, tmp_path, refs(1)[0])) == []


async def test_a_ledger_that_is_flushed_while_it_is_followed_is_begun_anew(ledger: Ledger, tmp_path: Path) -> None:
    async with opened(ledger, tmp_path) as index:
        await add(ledger, "35hnsmqb0001", refs(1)[0])
        await index.step()
        await ledger.redis.flushall()
        await index.step()
        await add(ledger, "35hnsmqb0002", refs(1)[0])
        answer = await index.find(refs(1)[0], before=None, limit=10)
        assert found(answer) == [("35hnsmqb0002", "cancelled")]
        assert answer.complete


async def test_a_stream_that_lost_its_end_or_was_deleted_is_read_again(ledger: Ledger, tmp_path: Path) -> None:
    async with opened(ledger, tmp_path) as index:
        for n in range(1, 6):
            await add(ledger, f"35hnsmqb000{n}", refs(1)[0])
        await index.find(refs(1)[0], before=None, limit=10)
        kept = await ledger.redis.xrange(STREAM, count=3)
        await ledger.redis.delete(STREAM)  # a server that crashed with its last second unsaved comes back like this
        for entry, fields in kept:
            await ledger.redis.xadd(STREAM, fields, id=entry)
        await add(ledger, "35hnsmqb0009", refs(1)[0])
        answer = await index.find(refs(1)[0], before=None, limit=10)
        assert [job[-1] for job, _ in found(answer)] == list("9321")
        await ledger.redis.delete(STREAM)
        answer = await index.find(refs(1)[0], before=None, limit=10)
        assert [job[-1] for job, _ in found(answer)] == list("9321"), "what was read has happened"


@pytest.mark.parametrize("harm", ["garbage", "empty", "cut", "torn", "another's"])
async def test_a_damaged_file_is_made_anew(ledger: Ledger, tmp_path: Path, harm: str) -> None:
    for n in range(200):
        await add(ledger, f"35hnsmqb{n:04d}", refs(1)[0])
    before = found(await find(ledger, tmp_path, refs(1)[0]))
    assert len(before) == 200
    path = file_of(tmp_path)
    whole = path.read_bytes()
    match harm:
        case "garbage":
            path.write_bytes(b"not a database" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "torn":
            path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
        case _:
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE mine (one)")
            other.close()
    assert found(await find(ledger, tmp_path, refs(1)[0])) == before


async def test_a_full_disk_and_a_folder_that_is_none_are_told_and_lose_nothing(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(ledger, tmp_path / "file") as index:
        with pytest.raises(ReferenceIndexError, match="the index of references"):
            await index.step()
    async with opened(ledger, tmp_path) as index:
        await index.step()
        assert index._file
        (pages,) = index._file._db.execute("PRAGMA page_count").fetchone()
        index._file._db.execute(f"PRAGMA max_page_count = {pages}")
        for n in range(100):
            await add(ledger, f"35hnsmqb{n:04d}", refs(1)[0], message="x" * 1000 + str(n))
        with pytest.raises(ReferenceIndexError, match=r"full.*disk has room"):
            await index.find(refs(1)[0], before=None, limit=1000)
        index._file._db.execute("PRAGMA max_page_count = 100000")
        assert len((await index.find(refs(1)[0], before=None, limit=1000)).mentions) == 100


_COPY = """
import asyncio, sys
from pathlib import Path
from cancellist.jobs.ledger.references import index_file, reference_index
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
index_file.FULL, reference_index.BATCH = 500, 20

async def main():
    redis = await connect(sys.argv[1])
    index = reference_index.ReferenceIndex(Ledger(redis), Path(sys.argv[2]), jobs_keep_s=1e7)
    while True:
        await index.step()
        print("copied", flush=True)

asyncio.run(main())
"""


async def test_processes_that_copy_at_once_and_are_killed_leave_each_result_once(
    valkey: Server, tmp_path: Path
) -> None:
    redis = await connect(valkey.url)
    await redis.flushall()
    ledger = Ledger(redis)
    for start in range(0, 6000, 500):
        pipe = redis.pipeline(transaction=False)
        for n in range(start, start + 500):
            pipe.xadd(STREAM, {"job": f"35hnsmqb{n:04d}", "reference": refs(1, n % 50)[0], "outcome": "cancelled"})
        await pipe.execute()
    command = [sys.executable, "-c", _COPY, valkey.url, str(tmp_path)]
    chance = random.Random(3)
    for _ in range(2):
        pair = [process(command) for _ in range(2)]
        try:
            for one in pair:
                for _ in range(chance.randrange(1, 12)):
                    assert await asyncio.to_thread(one.stdout.readline) == b"copied\n"  # type: ignore[union-attr]
        finally:
            for one in pair:
                one.kill()
                one.communicate()
    async with opened(ledger, tmp_path) as index:
        for n in range(50):
            answer = await index.find(refs(1, n)[0], before=None, limit=1000)
            assert [job for job, _ in found(answer)] == [f"35hnsmqb{k:04d}" for k in range(5950 + n, -1, -50)]
            assert answer.complete
    await redis.aclose()
