"""A server with little memory: jobs are refused before it is full, and what it holds is drained to the end."""

import pytest
from redis.exceptions import OutOfMemoryError

from cancellist.jobs.errors import LedgerFullError
from cancellist.jobs.ledger import control
from cancellist.jobs.ledger.server.fitness import check
from cancellist.jobs.ledger.submitting.admission import reserved
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from cancellist.sandbox.world.references import reference
from tests.support.servers import KINDS, running
from tests.support.stage import SEED, Stage, agrees, ended, platform, submit

pytestmark = pytest.mark.acceptance
MAXMEMORY = 40 << 20
JOB = 20_000


@pytest.fixture(params=KINDS)
def stage(request, tmp_path):
    with (
        running(request.param, tmp_path, "--maxmemory", str(MAXMEMORY)) as server,
        platform(tmp_path, consignments=400_000) as world,
        Stage(server, world, tmp_path, {"max_concurrent_calls": "16"}) as stage,
    ):
        yield stage


async def submit_until_refused(ledger):
    """Submits jobs of equal size until the server has no room; answers them with their references."""
    jobs = {}
    while True:
        references = [reference(SEED, n) for n in range(len(jobs) * JOB, (len(jobs) + 1) * JOB)]
        submission = Submission(ledger, JobRequest())
        try:
            await submission.add(references)
            sealed = await submission.seal(duplicates=0, idempotency_keep_s=60, per_call=100)
        except LedgerFullError:
            await submission.discard()
            return jobs
        jobs[sealed.job] = references


async def stuff(redis):
    """Fills the server with what is not ours, to the last byte."""
    number = 0
    for size in (100_000, 10_000, 1000, 100, 10, 1):
        refused = 0
        while refused < 3:
            try:
                await redis.set(f"other:{number}", b"x" * size)
                number += 1
            except OutOfMemoryError:
                refused += 1


@pytest.mark.takes(70)
async def test_a_server_that_refuses_jobs_drains_all_that_it_took_within_its_memory(stage: Stage):
    async with stage.ledger() as ledger:
        jobs = await submit_until_refused(ledger)
        assert len(jobs) > 8
        stage.worker()
        for job, references in jobs.items():
            await ended(ledger, job, 240)
            assert (await check(ledger.redis)).used_memory_bytes < MAXMEMORY
            if job in {*list(jobs)[:1], *list(jobs)[-1:]}:
                await agrees(stage, ledger, job, references)
        assert (await reserved(ledger)).references == 0


@pytest.mark.parametrize("queued", [True, False], ids=["arq has the drain", "arq has no drain"])
async def test_a_server_that_is_full_to_the_last_byte_is_drained_though_arq_cannot_write(stage: Stage, queued: bool):
    async with stage.ledger() as ledger:
        references = stage.platform.references(40_000)
        job = await submit(ledger, references)
        if not queued:
            await ledger.redis.delete(ledger.keys.drain_queue)
        await stuff(ledger.redis)
        with pytest.raises(LedgerFullError):
            await submit(ledger, references[:1])
        worker = stage.worker(command=("cli", "worker", "--burst"))
        await ended(ledger, job, 60)
        await agrees(stage, ledger, job, references)
        assert worker.end(0, 30) == 0
        await control.pause_account(ledger, "default")
        await control.resume_account(ledger, "default", 100)
