"""A server that is there and refuses what a worker asks: one line, without arguments; all goes on once it is mended."""

import pytest

from tests.support.stage import Stage, Worker, agrees, ended, log_lines, settled, submit, wait_for

pytestmark = pytest.mark.acceptance

REFUSED = "the server refuses a command; it is tried again"
KEYS = ("results", "totals", "workers", "drains", "account:default:state", "account:default:flow")
COMMANDS = ("evalsha", "time", "xautoclaim", "zrangebyscore", "xadd")


def told(worker: Worker) -> list[str]:
    """Refusals that the worker has told of."""
    return [str(line["error"]) for line in log_lines(worker) if line["event"] == REFUSED]


def spoke_well(worker: Worker, references: list[str]) -> None:
    """That nothing of what was handed in, no traceback and no flood is in its log."""
    log = worker.log.read_text()
    assert "Traceback" not in log, log
    assert not any(reference in log for reference in references)
    assert len(told(worker)) <= 2, told(worker)
    assert len(log) < 6_000


@pytest.fixture
def slow_stage(valkey_stage: Stage) -> Stage:
    """Slow calls of a few references: much is left when the server begins to refuse, however late the test looks."""
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    valkey_stage.settings |= {"max_references_per_call": "20", "max_concurrent_calls": "4"}
    return valkey_stage


@pytest.mark.parametrize("key", KEYS)
async def test_another_kind_of_value_under_a_key_is_told_and_mended(slow_stage: Stage, key: str) -> None:
    references = slow_stage.platform.open_references(1_500)
    worker = slow_stage.worker()
    async with slow_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 100)
        name, kept = f"cancellist:{key}", "cancellist:kept"
        moved = await ledger.redis.exists(name)
        async with ledger.redis.pipeline(transaction=True) as pipe:  # else a result may be written in between
            if moved:
                pipe.rename(name, kept)
            await pipe.set(name, "another's").execute()
        wait_for(lambda: any("WRONGTYPE" in line for line in told(worker)), 30)
        async with ledger.redis.pipeline(transaction=True) as pipe:
            pipe.delete(name)
            if moved:
                pipe.rename(kept, name)
            await pipe.execute()
        slow_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 1})
        await ended(ledger, job, 30)
        await agrees(slow_stage, ledger, job, references, maybe=True)
    spoke_well(worker, references)
    assert worker.end() == 0


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_that_is_taken_away_is_told_and_given_back(slow_stage: Stage, command: str) -> None:
    references = slow_stage.platform.open_references(1_500)
    worker = slow_stage.worker()
    async with slow_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await settled(ledger, job, 100)
        slow_stage.server.command_line("ACL", "SETUSER", "default", f"-{command}")
        wait_for(lambda: any(f"the command {command}" in line for line in told(worker)), 30)
        slow_stage.server.command_line("ACL", "SETUSER", "default", "+@all")
        slow_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 1})
        await ended(ledger, job, 30)
        await agrees(slow_stage, ledger, job, references, maybe=True)
    spoke_well(worker, references)
    assert worker.end() == 0
