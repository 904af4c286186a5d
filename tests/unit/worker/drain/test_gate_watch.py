"""What a drain knows of the gate, and how sure it is of it."""

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.claims import START_LEASE_MS
from cancellist.worker.drain import gate_watch
from cancellist.worker.drain.gate_watch import GateWatch


def watch(monkeypatch: pytest.MonkeyPatch, answers: list[int | Exception]) -> GateWatch:
    """A watch whose ledger gives these answers, one after the other."""

    async def asked(_ledger: object, _account: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(accounts, "gate_version", asked)
    return GateWatch(None, "default", asyncio.create_task, lambda _: None)  # type: ignore[arg-type]


async def test_a_fresh_answer_does_where_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watch(monkeypatch, [])
    gate.learn(3, monotonic())
    assert await gate.stands(3)
    assert not await gate.stands(2)


async def test_a_guarded_call_starts_on_an_answer_of_its_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watch(monkeypatch, [3, 4, LedgerUnavailableError("away")])
    gate.learn(3, monotonic())
    assert await gate.stands(3, asked=gate.question())
    assert not await gate.stands(3, asked=gate.question())
    gate.learn(4, monotonic())
    assert not await gate.stands(4, asked=gate.question())


async def test_an_answer_to_an_earlier_question_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watch(monkeypatch, [LedgerUnavailableError("away")])
    earlier = monotonic()
    question = asyncio.create_task(gate.stands(3, asked=gate.question()))
    await asyncio.sleep(0)
    gate.learn(3, earlier)
    assert not await question


async def test_a_question_is_recent_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watch(monkeypatch, [3])
    asked = gate.question()
    assert asked.recent
    await asked.answer
    assert not replace(asked, at=asked.at - 0.05).recent


async def test_calls_that_start_at_once_share_a_question_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = watch(monkeypatch, [3, 4])
    first, second = gate.question(), gate.question()
    assert await asyncio.gather(gate.stands(3, asked=first), gate.stands(3, asked=second)) == [True, True]
    assert not await gate.stands(3, asked=gate.question())
    assert gate.version == 4


async def test_what_waits_for_an_open_question_goes_on_once_it_is_answered_or_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, gone = watch(monkeypatch, [3]), asyncio.Event()
    await gate.answered()
    gate.question()
    await gate.answered()
    assert gate.version == 3
    monkeypatch.setattr(accounts, "gate_version", lambda *_: gone.wait())
    silent = gate.question()
    await gate.answered()
    assert not silent.answer.done()
    gone.set()
    await silent.answer


async def test_a_start_lease_counts_from_its_request_and_ends_before_the_ledger_lets_a_job_halt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, clock = watch(monkeypatch, []), [1000.0]
    monkeypatch.setattr(gate_watch, "monotonic", lambda: clock[0])
    assert not gate.leased
    gate.lease(1000.0)
    gate.lease(999.0)  # the answer to an earlier request, overtaken
    clock[0] += START_LEASE_MS / 1000 - 0.0501
    assert gate.leased
    clock[0] += 0.0002
    assert not gate.leased


async def test_a_start_lease_is_not_trusted_once_the_gate_may_have_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watch(monkeypatch, [])
    gate.lease(monotonic())
    gate.doubt()
    assert not gate.leased
