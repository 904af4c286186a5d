"""The format: the mark, what each version that is read has written, and versions side by side."""

import asyncio
import os
import re
import sys
from collections import Counter
from dataclasses import replace

import msgpack
import orjson
import pytest

from cancellist.jobs.errors import LedgerUnfitError
from cancellist.jobs.flow.circuit_breaker import Breaker, Mode
from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger import (
    claims,
    control,
    failed_calls,
    flow_state,
    housekeeping,
    records,
    refusal_texts,
    results,
)
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Terms, Wait
from cancellist.jobs.ledger.core import FORMAT, READS, Ledger
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.ledger.scripts.loader import NAMES
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.model import JobRequest, JobState
from cancellist.jobs.parsing import intake_entry as entries_
from cancellist.jobs.responses.refusal_texts import Meaning
from tests.contract.format import recorded
from tests.contract.format.versions import grown, shrunk
from tests.contract.steps import whole
from tests.support import ROOT, processes

TERMS = Terms(limit=8, per_call=4, linger_ms=0)
COMMANDS = {
    "worker": ["-m", "cancellist", "worker", "--burst"],
    "arq": ["-m", "arq", "cancellist.worker.main.WorkerSettings", "--burst"],
    "jobs": ["-m", "cancellist", "jobs"],
}


# the mark


@pytest.mark.parametrize(
    ("mark", "told", "mend"),
    [
        (str(FORMAT + 1), str(FORMAT + 1), "upgrade cancellist here"),
        ("0", "0", "run the version that wrote it"),
        ("one", "one", "run the version that wrote it"),
        (b"\xff\n", r"\\xff\\n", "run the version that wrote it"),
    ],
)
async def test_another_format_is_refused_with_its_mend(ledger, mark, told, mend):
    await ledger.redis.set("cancellist:format", mark)
    with pytest.raises(
        LedgerUnfitError, match=rf"holds format {told}.*, this version reads 1: {mend}, or choose another"
    ):
        await Ledger(ledger.redis).open()
    await Ledger(ledger.redis, "another").open()


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_process_ends_with_1_and_one_line_where_the_format_is_not_read(ledger, any_server, command, tmp_path):
    await ledger.redis.set("cancellist:format", FORMAT + 1)
    own = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
    environment = {**own, "PYTHONPATH": str(ROOT), "PATH": "", "CANCELLIST_REDIS_URL": any_server.url}
    done = await asyncio.to_thread(
        processes.run,
        [sys.executable, *COMMANDS[command]], cwd=tmp_path, env=environment, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert not done.stdout
    (line,) = [line for line in done.stderr.splitlines() if "holds format 2" in line]
    assert "upgrade cancellist here" in line
    assert "Traceback" not in done.stderr
    assert await ledger.redis.keys("*") == [b"cancellist:format"]  # nothing was written


def test_the_scripts_write_the_format_that_is_checked():
    writing = [text for name in NAMES if re.search(r"\bFORMAT\b", text := Ledger(None).scripts.text(name).text)]
    assert len(writing) > 10
    for text in writing:
        assert f"\nlocal FORMAT = {FORMAT}\n" in text
    assert FORMAT in READS


# what each format has written


@pytest.fixture(params=sorted(READS))
async def recording(request, ledger):
    """A recorded namespace, replayed."""
    expected, commands = recorded.load(request.param)
    await replayed(ledger, commands)
    return expected, commands


async def replayed(ledger, commands):
    await ledger.redis.flushall()
    await recorded.replay(ledger.redis, commands)
    await ledger.open()


async def test_a_recording_has_a_reference_in_every_place(ledger, recording):
    jobs = {job.id: job for job in await records.newest(ledger, 100)}
    assert {job.state for job in jobs.values()} == {
        JobState.SEALING, JobState.HELD, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.ABORTING,
        JobState.COMPLETED,
    }  # fmt: skip
    kinds = [msgpack.unpackb(packed) for packed in await ledger.redis.hvals("cancellist:account:default:claimed")]
    assert Counter(claim["kind"] for claim in kinds) == {"reads": 1, "alone": 1, "calls": 3}
    assert any("at" in claim for claim in kinds)
    for name in ("calls", "reads", "alone", "later", "claims", "slots", "held", "deadlines", "unsealed", "slices"):
        assert await ledger.redis.zcard(f"cancellist:account:default:{name}"), name
    later = [piece for key in await ledger.redis.keys("*job:*:later") for piece in await ledger.redis.hvals(key)]
    assert {orjson.loads(piece.split(b"\n")[0])["k"] for piece in later} == {"calls", "alone", "reads"}
    assert await ledger.redis.xlen("cancellist:intake") == 2
    assert (await ledger_accounts.gate(ledger, "paused")).paused
    assert (await ledger_accounts.gate(ledger, "broken")).breaker


async def test_data_of_each_format_is_drained_with_one_result_each(ledger, recording):
    await drained_to_the_end(ledger, recording[0])


# versions side by side


async def test_fields_that_a_later_version_adds_are_ignored(ledger, recording):
    expected, commands = recording
    await replayed(ledger, [grown(command) for command in commands])
    _, counters = (await ledger.redis.hget("cancellist:account:default:flow", "drain1")).split(b" ", 1)
    await ledger.redis.hset("cancellist:account:default:flow", "drain1", b"%d %s" % (await ledger.now_ms(), counters))
    seen = await flow_state.share(ledger, "default")
    assert seen.state
    assert seen.drains["drain1"].accepted == 40
    assert Meaning("manifested", 1) in (await refusal_texts.learnt(ledger, "default")).values()
    (job,) = [job for job in await records.newest(ledger, 100) if job.order.requested_by == "j.doe"]
    assert job.samples
    tried = expected[job.id][2]
    assert [call.status async for call in failed_calls.of_reference(ledger, "default", job.id, tried)] == [503]
    await drained_to_the_end(ledger, expected)


async def test_what_a_later_version_noted_on_references_is_kept_where_they_are_put_back(ledger, recording):
    await replayed(ledger, [grown(command) for command in recording[1]])
    fresh = await ask(ledger, "paused")
    assert isinstance(fresh, Wait)
    await control.resume_account(ledger, "paused", 4)
    taken = await ask(ledger, "paused")
    assert await claims.release(ledger, "paused", [taken.id], [taken.id], TERMS) == 1
    (piece,) = await ledger.redis.lrange(f"cancellist:job:{taken.parts[0].job}:calls", 0, -1)
    assert orjson.loads(piece.split(b"\n")[0])["added"] == {"x": 1}


async def test_a_flow_that_a_later_version_moved_keeps_its_breaker_open(ledger, recording):
    await replayed(ledger, [grown(command) for command in recording[1]])
    seen = await flow_state.share(ledger, "broken")
    assert seen.state
    assert seen.state.breaker.mode is Mode.OPEN
    assert seen.state.breaker.tries == 2


async def test_doubt_about_words_is_kept_where_a_later_version_noted_more(ledger, recording):
    await ledger.redis.hset("cancellist:account:default:words", "it may be", "mixed 0 added")
    await ledger.redis.hset("cancellist:account:default:state", "swept_at", await ledger.now_ms())
    while isinstance(taken := await ask(ledger), Claim):
        await settle(ledger, taken, learnt=("it may be", "open"))
    assert await ledger.redis.hget("cancellist:account:default:words", "it may be") == b"mixed 0 added"


async def test_a_key_that_a_later_version_bound_names_the_same_job(ledger, recording):
    await replayed(ledger, [grown(command) for command in recording[1]])
    (bound,) = [job for job in await records.newest(ledger, 100) if job.order.idempotency_key == "key-1"]
    digest = (await ledger.redis.get("cancellist:account:default:idempotency:key-1")).split(b" ")[2].decode()
    await ledger.run("submit", "default", "other", "nonce", 1, 0, 0, 0, "")
    reply = await ledger.run("seal", "default", "other", "nonce", 0, 0, 0, "key-1", digest, 1000, "", "", 4)
    assert reply[:2] == [b"same", bound.id.encode()]


async def test_a_settle_that_a_later_version_remembers_is_answered_as_settled(ledger, recording):
    await replayed(ledger, [grown(command) for command in recording[1]])
    resent = Settlement("host-1-0.drain1.1", [])
    assert (await claims.settle(ledger, "default", resent, None, TERMS))[0]
    assert not (await claims.settle(ledger, "default", replace(resent, claim="lost"), None, TERMS))[0]


async def test_an_entry_that_a_later_version_answered_makes_no_second_job(ledger, recording):
    await ledger.redis.set("cancellist:account:default:done:entry:1-1", "1 same added")
    small = intake.SmallJob("1-1", JobRequest(), ["EC-000-000-000"], [], 0)
    words, _ = await intake.seal_small(ledger, "default", [small], idempotency_keep_s=60, per_call=4)
    assert words == ["same"]


async def test_a_drain_whose_counters_are_not_understood_is_passed_over(ledger, recording):
    now_ms = await ledger.now_ms()
    counters = orjson.dumps(Counters(accepted=3).packed()).decode()
    for drain, counted in {"of ours": counters, "strange": '{"accepted":1}', "broken": "["}.items():
        await ledger.redis.hset("cancellist:account:default:flow", drain, f"{now_ms} {counted}")
    assert set((await flow_state.share(ledger, "default")).drains) == {"of ours"}


async def test_fields_that_an_earlier_version_did_not_write_are_not_needed(ledger, recording):
    expected, commands = recording
    await replayed(ledger, [lesser for command in commands if (lesser := shrunk(command))])
    assert (await flow_state.share(ledger, "default")).state is None
    assert await ledger_accounts.gate(ledger, "default")
    (job,) = [job for job in await records.newest(ledger, 100) if job.order.requested_by == "j.doe"]
    assert [call async for call in failed_calls.of_reference(ledger, "default", job.id, expected[job.id][2])] == []
    await drained_to_the_end(ledger, expected)


@pytest.mark.parametrize(("field", "word"), [("state", "resting"), ("outcome:lost", "1"), ("priority", "idle")])
async def test_a_job_with_a_word_that_is_not_known_is_refused_in_one_line(ledger, recording, field, word):
    job = next(iter(recording[0]))
    await ledger.redis.hset(f"cancellist:job:{job}", field, word)
    with pytest.raises(LedgerUnfitError, match=r"^the ledger holds the \w+ '\w+', which .* upgrade cancellist here$"):
        await records.get(ledger, job)


async def test_a_result_with_an_outcome_that_is_not_known_is_refused_in_one_line(ledger, recording):
    job = next(iter(recording[0]))
    entry = await ledger.redis.xadd(
        "cancellist:results", {"job": job, "reference": "R", "outcome": "lost", "status": "", "attempts": 1}
    )
    await ledger.redis.rpush(f"cancellist:job:{job}:runs", entry + b" " + entry)
    with pytest.raises(LedgerUnfitError, match=r"holds the Outcome 'lost'.*upgrade"):
        [page async for page in results.of_job(ledger, job)]


async def ask(ledger, account="default"):
    ask.number = getattr(ask, "number", 0) + 1
    return await claims.claim(ledger, account, Ask(f"new-{ask.number}", "drain2", "slot", 0, TERMS))


async def settle(ledger, taken, account="default", **more):
    settlement = replace(whole(taken), give=(taken.id,), **more)
    assert (await claims.settle(ledger, account, settlement, None, TERMS))[0]


async def drained_to_the_end(ledger, expected):
    """Does the work of workers, once what is paused goes on and every lease of the recording has passed."""
    accounts = await ledger_accounts.known(ledger)
    for account in accounts:
        await ledger.redis.hset(f"cancellist:account:{account}:state", "swept_at", await ledger.now_ms())
        await control.resume_account(ledger, account, TERMS.per_call)
        await close_breaker(ledger, account)
    for job in await records.unfinished(ledger):
        if job.state is JobState.PAUSED:
            await control.resume_job(ledger, job.id, TERMS.per_call)
    await take_in(ledger)
    for _ in range(100):
        for account in accounts:
            await housekeeping.sweep(ledger, account, "w2", TERMS, 0.0)
            while await housekeeping.slice_oldest(ledger, account):
                pass
            while isinstance(taken := await ask(ledger, account), Claim) or taken.wait_ms == 0:
                if isinstance(taken, Claim):
                    await settle(ledger, taken, account)
        if not await records.unfinished(ledger):
            break
    await all_is_settled(ledger, expected, accounts)


async def take_in(ledger):
    found = await intake.take_over(ledger, "reader2", idle_ms=0, count=10)
    found += await intake.read(ledger, ledger.redis, "reader2", count=10, block_ms=100)
    for entry in found:
        parsed = entries_.parse_entry(entry.pairs, now_ms=0, accounts=frozenset({"default"}))
        small = intake.SmallJob(entry.id, parsed.order, parsed.references, [], 0)
        words, _ = await intake.seal_small(ledger, "default", [small], idempotency_keep_s=60, per_call=4)
        assert words == ["sealed"]


async def close_breaker(ledger, account):
    """As a probe that passed does."""
    seen = await flow_state.share(ledger, account)
    if seen.state and not seen.state.breaker.closed:
        closed = replace(seen.state, breaker=Breaker())
        assert (await flow_state.share(ledger, account, move=Move(seen.version, closed))).moved


async def all_is_settled(ledger, expected, accounts):
    assert await records.unfinished(ledger) == []
    jobs = {job.id: job for job in await records.newest(ledger, 100)}
    found = {}
    for job in jobs.values():
        assert job.state.ended
        assert job.settled == job.total
        assert job.pending == job.in_flight == 0
        texts = [r.reference async for _, page in results.of_job(ledger, job.id) for r in page]
        found.setdefault(job.id if job.id in expected else "entries", Counter()).update(texts)
    assert found == {job: Counter(texts) for job, texts in expected.items()}
    assert set(await ledger.redis.hvals("cancellist:totals")) == {b"0"}
    for account in accounts:
        counts = await ledger.redis.hmget(
            f"cancellist:account:{account}:state", ["calls_ready", "reads_ready", "reads_out"]
        )
        assert {int(count or 0) for count in counts} == {0}
        for name in ("calls", "reads", "alone", "groups", "later", "claims", "claimed", "slots", "held", "deadlines",
                     "unsealed", "slices"):  # fmt: skip
            assert not await ledger.redis.exists(f"cancellist:account:{account}:{name}"), name
