"""`cancellist explain` as a user runs it, on a real worker's doings."""

import json
import subprocess
import sys

import pytest

from tests.support import processes
from tests.support.stage import ROOT, Stage, ended, submit


def explain(stage: Stage, *arguments: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "cancellist", "explain", *arguments]
    return processes.run(words, cwd=ROOT, env=stage.environment(), text=True, timeout=60)


@pytest.mark.acceptance
async def test_what_was_tried_and_what_words_mean_is_told(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": {"503-after": 0.3}, "latency_ms": 2})
    references = valkey_stage.platform.references(3_000)
    worker = valkey_stage.worker(retry_cap=1)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, 60)
        troubled = await ledger.redis.xrange("cancellist:account:default:trouble")
    assert worker.end() == 0
    failed = next(fields for _, fields in troubled if fields[b"status"] == b"503")
    named = failed[b"named"].split()[1].decode()
    document = json.loads(explain(valkey_stage, job, named.lower(), "--json").stdout)
    assert document["reference"] == named
    assert document["result"]["outcome"] in {"cancelled", "manifested", "already_cancelled"}
    assert document["calls"][0]["status"] == 503
    assert document["result"]["attempts"] >= 2
    shown = explain(valkey_stage, job, named)
    assert shown.returncode == 0
    assert "503" in shown.stdout
    assert document["result"]["outcome"] in shown.stderr
    learnt = json.loads(explain(valkey_stage, "--words", "--json").stdout)["words"]
    assert {row["meaning"] for row in learnt} >= {"manifested", "cancelled"}
    assert "manifested" in explain(valkey_stage, "--words").stdout
    unknown = explain(valkey_stage, job, "EC-XXX-XXX-XXX")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert explain(valkey_stage).returncode == 2
