"""An intake entry that asks for it gets one answer: the job that it became, or why it became none."""

import asyncio
import contextlib

import pytest

from cancellist.jobs.errors import IdempotencyConflictError, LedgerRefusedError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from cancellist.jobs.parsing.intake_entry import parse_entry, reply_name
from cancellist.jobs.parsing.intake_values import MalformedEntryError
from tests.contract.intake_steps import hand_in, left_over, read, seal, small
from tests.contract.steps import A, everything, refs

REPLIES = "cancellist:replies:shop"
DAY_S = 86_400


@pytest.fixture(autouse=True)
async def _group(ledger):
    await intake.prepare(ledger)


async def replies(ledger, key=REPLIES):
    rows = await ledger.redis.xrange(key)
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in rows]


async def taken(ledger, **fields):
    await hand_in(ledger, references="x", reply_to="shop", **fields)
    (entry,) = await read(ledger)
    return entry


def asking(entry, references=None, **order):
    job = small(entry, references, **order)
    return intake.SmallJob(job.entry, job.order, job.references, job.invalid, job.duplicates, "shop")


async def large(ledger, entry, references, **order):
    one = Submission(ledger, JobRequest(**order))
    await one.add(references)
    options = {"duplicates": 0, "idempotency_keep_s": 3600, "per_call": 10, "intake": (GROUP, entry.id)}
    return await one.seal(**options, reply_to="shop")


@pytest.mark.parametrize("kind", ["small", "large"])
async def test_the_job_is_answered_the_same_job_too_and_why_there_is_none(ledger, kind):
    async def made(references, key):
        entry = await taken(ledger)
        if kind == "small":
            await seal(ledger, asking(entry, references, idempotency_key=key))
        else:
            with contextlib.suppress(IdempotencyConflictError):
                await large(ledger, entry, references, idempotency_key=key)
        return entry.id

    first, again, other = await made(refs(3), "k"), await made(refs(3), "k"), await made(refs(4), "k")
    (job,) = await ledger.redis.zrange("cancellist:jobs", 0, -1)
    assert await replies(ledger) == [
        {"entry": first, "job": job.decode()},
        {"entry": again, "job": job.decode()},
        {
            "entry": other,
            "error": "idempotency_conflict",
            "message": f"idempotency key is bound to job {job.decode()} with other content",
        },
    ]
    assert DAY_S - 10 < await ledger.redis.ttl(REPLIES) <= DAY_S
    assert await left_over(ledger) == (0, 0)


async def test_an_entry_that_is_refused_is_answered_with_the_reason(ledger):
    entry = await taken(ledger, priority="high")
    for _ in range(2):  # the reply to the first was lost
        await intake.reject(ledger, A, entry, "priority 'high' is none")
    assert await replies(ledger) == [{"entry": entry.id, "error": "input", "message": "priority 'high' is none"}]


async def test_however_many_readers_have_an_entry_it_is_answered_once(ledger):
    entry = await taken(ledger)
    job = asking(entry)
    (over,) = await intake.take_over(ledger, "c2", idle_ms=0, count=10)  # its first reader is thought dead
    assert over.id == entry.id
    words = await asyncio.gather(*(seal(ledger, job) for _ in range(4)))
    assert sorted(word for (word,), _ in words) == ["sealed", "taken", "taken", "taken"]
    await intake.reject(ledger, A, entry, "late")
    assert [reply["entry"] for reply in await replies(ledger)] == [entry.id]


async def test_what_was_sent_twice_is_answered_once(ledger, monkeypatch):
    entry = await taken(ledger)
    run, sent = ledger.run, []

    async def twice(*args):
        sent.append(await run(*args))
        return await run(*args)

    monkeypatch.setattr(ledger, "run", twice)
    assert (await seal(ledger, asking(entry)))[0] == ["sealed"]
    assert len(sent) == 1
    assert len(await replies(ledger)) == 1


async def test_an_entry_that_may_not_be_answered_is_not_taken(ledger, any_server):
    entry = await taken(ledger)
    await ledger.redis.execute_command("ACL", "SETUSER", "limited", "on", "nopass", "~*", "&*", "+@all", "-expire")
    redis = await connect(any_server.url.replace("unix://", "unix://limited:any@"))
    for attempt in (lambda: seal(Ledger(redis), asking(entry)), lambda: large(Ledger(redis), entry, refs(3))):
        with pytest.raises(LedgerRefusedError):
            await attempt()
    await redis.aclose()
    await ledger.redis.execute_command("ACL", "DELUSER", "limited")
    assert await left_over(ledger) == (1, 1)
    assert (await seal(ledger, asking(entry)))[0] == ["sealed"]
    assert len(await replies(ledger)) == 1


async def test_who_asks_for_no_answer_gets_none(ledger):
    await hand_in(ledger, references="x")
    (entry,) = await read(ledger)
    await seal(ledger, small(entry))
    assert [key for key in await everything(ledger) if b"replies" in key] == []


async def test_answers_are_of_bounded_length(ledger):
    entry = await taken(ledger)
    pipe = ledger.redis.pipeline(transaction=False)
    for _ in range(10_500):
        pipe.xadd(REPLIES, {"entry": "0-0"})
    await pipe.execute()
    await seal(ledger, asking(entry))
    assert await ledger.redis.xlen(REPLIES) <= 10_100
    assert (await replies(ledger))[-1]["entry"] == entry.id


async def test_a_key_that_holds_something_else_stops_no_entry_and_is_left_as_it_is(ledger):
    await ledger.redis.set(REPLIES, "another's")
    entry, refused = await taken(ledger), await taken(ledger)
    assert (await seal(ledger, asking(entry)))[0] == ["sealed"]
    await intake.reject(ledger, A, refused, "no")
    assert await ledger.redis.get(REPLIES) == b"another's"
    assert await left_over(ledger) == (0, 0)


@pytest.mark.parametrize(
    "name", ["a:b", "../x", "x{y}", "-x", ".x", "x y", "é", "x\n", "*", "a" * 65, "\0", "shop\x00", "a/b"]
)
def test_a_name_that_could_reach_another_key_is_refused_and_never_answered(name):
    pairs = [(b"references", refs(1)[0].encode()), (b"reply_to", name.encode())]
    with pytest.raises(MalformedEntryError, match="'reply_to'"):
        parse_entry(pairs, now_ms=0, accounts=frozenset({A}))
    assert reply_name(pairs) == ""


@pytest.mark.parametrize("name", ["shop", "A.b_c-9", "0", "a" * 64])
def test_a_plain_name_is_taken_but_not_where_it_is_given_twice(name):
    pairs = [(b"references", refs(1)[0].encode()), (b"reply_to", name.encode())]
    assert parse_entry(pairs, now_ms=0, accounts=frozenset({A})).reply_to == reply_name(pairs) == name
    assert reply_name([*pairs, (b"colour", b"\xff")]) == name
    assert reply_name([*pairs, (b"reply_to", b"other")]) == ""
