"""Nothing is ever unpickled: whoever may write to the queue must not be able to run code in a worker."""

import ast
import asyncio
import os
import pickle
import time
from pathlib import Path

import pytest
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import serialize_result
from arq.worker import JobExecutionFailed

from cancellist.jobs.ledger.drains import arq_pool, deserialize, serialize
from cancellist.worker.main import WorkerSettings
from tests.support.stage import ROOT, Stage, ended, submit
from tests.support.waiting import until

RUNS_CODE = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
SOURCES = sorted(
    path for part in ("api", "cli", "config", "jobs", "sandbox", "worker") for path in (ROOT / part).rglob("*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_what_runs_code_when_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & RUNS_CODE


async def test_both_sides_of_arq_have_our_serializer(ledger) -> None:
    assert (WorkerSettings.job_serializer, WorkerSettings.job_deserializer) == (serialize, deserialize)
    pool = arq_pool(ledger)
    assert (pool.job_serializer, pool.job_deserializer) == (serialize, deserialize)
    assert pool.default_queue_name != default_queue_name


@pytest.mark.parametrize("result", [JobExecutionFailed("job expired"), ValueError("\ud800"), asyncio.CancelledError()])
def test_the_result_of_a_drain_that_arq_gives_up_is_kept_by_its_name_and_logged_without_a_traceback(result, caplog):
    packed = serialize_result(
        "drain", ("default",), {}, 1, 0, False, result, 0, 0, "its name", "its queue", "its id", serializer=serialize
    )
    assert packed is not None
    assert deserialize(packed)["r"] == type(result).__name__
    assert not caplog.records


def test_a_drain_of_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="not object"):
        serialize({"a": object()})


class Bomb:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.acceptance
async def test_a_pickled_job_in_the_queue_is_not_run_and_the_worker_goes_on(
    valkey_stage: Stage, tmp_path: Path
) -> None:
    trace = tmp_path / "it-ran"
    job = {"t": 1, "f": "drain", "a": (Bomb(trace), "x"), "k": {}, "et": 1}
    pickle.loads(pickle.dumps(job))
    assert trace.exists()  # the bomb works
    trace.unlink()
    async with valkey_stage.ledger() as ledger:
        for number, payload in enumerate([pickle.dumps(job), pickle.dumps(Bomb(trace)), b"\xc1", b""]):
            name = f"cancellist:default:evil{number}"
            await ledger.redis.set(job_key_prefix + name, payload)
            await ledger.redis.zadd(ledger.keys.drain_queue, {name: time.time_ns() // 1_000_000})
        worker = valkey_stage.worker()
        await until(lambda: ledger.redis.zcard(ledger.keys.drain_queue), lambda left: left == 0, 30)
        references = valkey_stage.platform.references(300)
        await ended(ledger, await submit(ledger, references), 30)
    assert not trace.exists()
    assert worker.end() == 0
