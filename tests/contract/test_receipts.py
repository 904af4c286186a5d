"""Receipts in the ledger: made once, chained, and only of all results."""

import asyncio

import orjson
import pytest

from cancellist.api.receipt_maker import Making, ReceiptMaker
from cancellist.jobs.errors import (
    InputError,
    JobStateError,
    LedgerUnfitError,
    OutputError,
    ReceiptError,
    ResultsGoneError,
    SettingsError,
    UnknownJobError,
)
from cancellist.jobs.ledger import control, housekeeping, receipt_keys, receipts, results
from cancellist.jobs.ledger.receipt_keys import Signer
from cancellist.jobs.ledger.views.result_lines import json_lines
from cancellist.jobs.ledger.webhooks import endpoints, events
from cancellist.jobs.model import Outcome
from cancellist.jobs.responses.steps import WriteResult
from cancellist.jobs.safety import receipt, signed_document
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import EndpointOrder, EventType
from tests.contract.steps import CANCELLED, claim, drained, refs, settle, submit, submitted


@pytest.fixture(scope="module")
def signer(tmp_path_factory) -> Signer:
    file = tmp_path_factory.mktemp("key") / "receipt.pem"
    receipt_keys.make_key(file)
    return receipt_keys.load_signer(file)


async def ended(ledger, count=3, **order) -> str:
    job = await submit(ledger, refs(count), **order)
    await drained(ledger)
    return job


async def made(ledger, job, signer=None) -> receipt.Receipt:
    line, _ = await receipts.make(ledger, job, signer)
    read = receipt.read(line)
    signed_document.check_signature(read, receipt_keys.is_signature)
    return read


async def test_a_receipt_tells_what_was_done(ledger, signer):
    job = (await submitted(ledger, refs(25), malformed=2, reason="strike", requested_by="shop")).job
    await housekeeping.slices(ledger, "default", job)
    await drained(ledger)
    read = await made(ledger, job, signer)
    assert read.signed_by == signer.public_key.hex()
    assert (read.number, read.document["previous"], read.document["namespace"]) == (1, None, "cancellist")
    assert read.document["counts"] == {
        "total": 27, "duplicates": 0, "invalid": 2, "outcomes": {"cancelled": 25, "invalid": 2},
    }  # fmt: skip
    told = read.document["job"]
    assert (told["job"], told["state"], told["reason"], told["requested_by"]) == (job, "completed", "strike", "shop")
    assert told["created_at"] <= told["started_at"] <= told["finished_at"] <= read.document["made_at"]
    assert not {name for name, value in told.items() if value is None}


async def test_fields_of_safeguards_and_what_was_done_to_the_job_are_in_it(ledger):
    job = await submit(ledger, refs(3))
    await ledger.redis.hset(
        ledger.keys.job(job),
        mapping={"plan": "plan_1", "approvals": '[{"by":"anna","at":1}]', "overrode": '{"share":0.5}', "secret": "no"},
    )
    await control.pause_job(ledger, job)
    await control.resume_job(ledger, job, 10)
    await drained(ledger)
    told = (await made(ledger, job)).document["job"]
    assert told["plan"] == "plan_1"
    assert told["approvals"] == [{"by": "anna", "at": 1}]
    assert told["overrode"] == '{"share":0.5}'  # a fraction has no canonical form: it stays the text that it is
    assert "secret" not in told
    assert [(act["what"], act["result"]) for act in told["acts"]] == [("pause", "done"), ("resume", "done")]


async def test_callers_at_once_make_one_receipt_and_later_ones_get_the_same_bytes(ledger, signer):
    job = await ended(ledger)
    lines = await asyncio.gather(*(receipts.make(ledger, job, signer) for _ in range(5)))
    assert len({line for line, _ in lines}) == 1
    assert {new.digest for _, new in lines if new} == {receipt.read(lines[0][0]).digest}
    assert (await receipts.make(ledger, job, None))[0] == lines[0][0]
    assert await ledger.redis.hlen(ledger.keys.receipts) == 1


async def test_receipts_of_jobs_at_once_are_one_chain(ledger):
    jobs = [await ended(ledger, 1) for _ in range(6)]
    await asyncio.gather(*(receipts.make(ledger, job, None) for job in jobs))
    found = [receipt.read(line) async for line in receipts.chain(ledger)]
    assert receipt.check_chain(found) == found
    assert [one.number for one in found] == [1, 2, 3, 4, 5, 6]
    assert sorted(one.job for one in found) == sorted(jobs)
    head = (await ledger.redis.get(ledger.keys.receipts_head)).decode()
    assert head == f"6 {found[-1].digest}"


async def test_a_receipt_sent_twice_is_still_the_one_that_was_made(ledger):
    job = await ended(ledger)
    line, new = await receipts.make(ledger, job, None)
    again = await ledger.run("receipt", "default", job, "", f"1 {new.digest}", line)
    assert again == [b"there", line]
    assert await ledger.redis.get(ledger.keys.receipts_head) == f"1 {new.digest}".encode()


async def test_a_job_that_has_not_ended_or_is_unknown_gets_none(ledger):
    job = await submit(ledger, refs(3))
    with pytest.raises(JobStateError, match="queued and cannot be given a receipt"):
        await receipts.make(ledger, job, None)
    with pytest.raises(UnknownJobError):
        await receipts.make(ledger, "nosuchjob", None)


async def test_there_is_no_receipt_of_a_part(ledger):
    job = await ended(ledger, 5)
    entry = (await ledger.redis.xrange(ledger.keys.results))[2][0]
    await ledger.redis.xdel(ledger.keys.results, entry)
    with pytest.raises(ResultsGoneError, match="1 of 5 results"):
        await receipts.make(ledger, job, None)
    assert await receipts.kept(ledger, job) is None


async def test_two_results_of_one_reference_get_no_receipt(ledger):
    job = await submit(ledger, refs(2))
    await settle(ledger, await claim(ledger), CANCELLED)
    (_, first), (second_id, second) = await ledger.redis.xrange(ledger.keys.results)
    await ledger.redis.xdel(ledger.keys.results, second_id)
    await ledger.redis.xadd(ledger.keys.results, {**second, b"reference": first[b"reference"]})
    last = (await ledger.redis.xrevrange(ledger.keys.results, count=1))[0][0]
    run = (await ledger.redis.lrange(ledger.keys.runs(job), 0, 0))[0].split()[0]
    await ledger.redis.lset(ledger.keys.runs(job), 0, run + b" " + last)
    with pytest.raises(LedgerUnfitError, match="two results of 1 references"):
        await receipts.make(ledger, job, None)


async def test_results_that_do_not_agree_with_the_counts_get_no_receipt(ledger):
    job = await ended(ledger, 2)
    await ledger.redis.hset(ledger.keys.job(job), mapping={"outcome:cancelled": 1, "outcome:rejected": 1})
    with pytest.raises(LedgerUnfitError, match="do not agree with its counts"):
        await receipts.make(ledger, job, None)


async def test_results_verify_as_they_are_written_whatever_they_say(ledger):
    evil = '\x1b]0;x\x07\u202e\u2028\x7f"\\ é \U0001f600\r\n'
    job = (await submitted(ledger, refs(2), malformed=1)).job
    await housekeeping.slices(ledger, "default", job)
    await settle(ledger, await claim(ledger), WriteResult(Outcome.REJECTED, 1, 200, evil, "Allocated"))
    read, leaves = await made(ledger, job), receipt.Leaves()
    async for _, page in results.of_job(ledger, job):
        for line in json_lines(page).splitlines():
            leaves.add(receipt.parse_result(line, job))
    receipt.check_results(read, leaves)
    assert leaves.outcomes == {"rejected": 2, "invalid": 1}


async def test_a_receipt_outlives_its_job(ledger):
    job = await ended(ledger)
    line, _ = await receipts.make(ledger, job, None)
    await ledger.redis.unlink(ledger.keys.job(job), ledger.keys.results)
    assert (await receipts.make(ledger, job, None)) == (line, None)
    with pytest.raises(UnknownJobError):
        await receipts.proof(ledger, line, refs(1)[0])


async def test_the_place_of_each_result_is_proved(ledger, signer):
    job = await ended(ledger, 13)
    line, _ = await receipts.make(ledger, job, signer)
    places = set()
    for reference in refs(13):
        found = receipt.read_proof(await receipts.proof(ledger, line, reference))
        assert (found.result["reference"], found.receipt.digest) == (reference, receipt.read(line).digest)
        places.add(found.index)
    assert places == set(range(13))
    with pytest.raises(ReceiptError, match="no result of 'EC-999-999-999'"):
        await receipts.proof(ledger, line, "EC-999-999-999")


async def test_one_receipt_is_made_for_all_requests_which_need_not_wait_for_it(ledger):
    job, maker = await ended(ledger), ReceiptMaker(ledger, None)
    early = await asyncio.gather(*(maker.get(job, 0.0) for _ in range(3)))
    assert early[0] is early[1] is early[2]
    assert isinstance(early[0], Making)
    line = await maker.get(job, 30.0)
    assert (line, None) == await receipts.make(ledger, job, None)
    with pytest.raises(UnknownJobError):
        await maker.get("nosuchjob", 30.0)
    other = await ended(ledger)
    await maker.get(other, 0.0)
    await maker.close()
    assert await receipts.kept(ledger, other) is None


async def test_each_receipt_is_told_once_to_webhooks_that_ask_for_it(ledger, signer):
    await made(ledger, await ended(ledger))
    asked = [EndpointOrder.of("https://hooks.example/in", [EventType.RECEIPT_CREATED], (), account, Allowed())
             for account in (None, "elsewhere")]  # fmt: skip
    asked.append(EndpointOrder.of("https://hooks.example/in", [], (), None, Allowed()))
    ids = [(await endpoints.add(ledger, one, [b"k" * 32])).endpoint.id for one in asked]
    read = [await made(ledger, await ended(ledger), signer) for _ in range(2)]
    for _ in range(2):
        for one in ids:
            await events.take_in(ledger, await endpoints.get(ledger, one))
    everything, elsewhere, ends = [(await endpoints.deliveries(ledger, one, limit=9)).deliveries for one in ids]
    assert elsewhere == []
    assert {one.type for one in ends} == {EventType.JOB_ENDED}
    bodies = [orjson.loads((await events.to_send(ledger, ids[0], one.id)).body) for one in everything]
    told = sorted((body["data"]["number"], body["data"]["digest"], body["data"]["job"]) for body in bodies)
    assert told == [(one.number, one.digest, one.job) for one in read]
    assert {body["data"]["signed_by"] for body in bodies} == {signer.public_key.hex()}
    stored = await ledger.redis.hget(ledger.keys.webhook(ids[0]), "types")
    assert b"receipt" not in stored  # an older worker, which reads that field, knows no such type


# keys


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    file = tmp_path / "receipt.pem"
    beside, public = receipt_keys.make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert receipt_keys.load_signer(file).public_key == receipt_keys.load_public(beside) == public
    assert "PRIVATE" not in beside.read_text()
    assert public.hex() not in repr(receipt_keys.load_signer(file).sign)
    before = file.read_bytes()
    with pytest.raises(OutputError, match="there already"):
        receipt_keys.make_key(file)
    beside.unlink()
    with pytest.raises(OutputError, match="there already"):
        receipt_keys.make_key(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_key_that_others_can_read_or_write_signs_nothing(tmp_path, mode):
    file = tmp_path / "receipt.pem"
    receipt_keys.make_key(file)
    file.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        receipt_keys.load_signer(file)


@pytest.mark.parametrize("text", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_told_without_its_text(tmp_path, text):
    file = tmp_path / "receipt.pem"
    file.touch(mode=0o600)
    file.write_bytes(text)
    with pytest.raises(SettingsError, match="holds no Ed25519 key") as told:
        receipt_keys.load_signer(file)
    assert "AAAA" not in str(told.value)
    with pytest.raises(InputError, match=r"private key|no public Ed25519 key"):
        receipt_keys.load_public(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        receipt_keys.load_signer(tmp_path / "none.pem")
