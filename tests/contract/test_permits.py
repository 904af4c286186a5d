"""Calls that belong to no claim count against the account's limits, together with those of workers."""

import time

import pytest

from cancellist.jobs.errors import NotPermittedError
from cancellist.jobs.ledger import accounts, control, permits
from cancellist.jobs.ledger.claims import Claim, Terms
from cancellist.jobs.ledger.core import Ledger
from tests.contract.steps import claim, refs, submit

ONE = Terms(limit=1, per_call=1)


async def test_a_permit_takes_a_slot_and_gives_it_back(ledger: Ledger) -> None:
    await submit(ledger, refs(3))
    async with permits.permitted(ledger, "default", ONE, keep_s=30):
        assert (await accounts.gate(ledger, "default")).calls_in_flight == 1
        assert int((await ledger.run("permit", "default", "other", _ask(keep=1000)))[0]) == 0
    assert (await accounts.gate(ledger, "default")).calls_in_flight == 0
    assert isinstance(await claim(ledger), Claim)
    assert int((await ledger.run("permit", "default", "other", _ask(keep=1000)))[0]) == 0


async def test_a_slot_that_nobody_gives_back_ends_by_itself(ledger: Ledger) -> None:
    assert int((await ledger.run("permit", "default", "lost", _ask(keep=50)))[0]) == 1
    began = time.monotonic()
    async with permits.permitted(ledger, "default", ONE, keep_s=1):
        assert time.monotonic() - began >= 0.04


async def test_permits_keep_the_rate(ledger: Ledger) -> None:
    began = time.monotonic()
    for _ in range(4):
        async with permits.permitted(ledger, "default", Terms(limit=1, per_call=1, interval_us=100_000), keep_s=1):
            pass
    assert time.monotonic() - began >= 0.29


async def test_a_paused_account_gives_none(ledger: Ledger) -> None:
    await control.pause_account(ledger, "default")
    with pytest.raises(NotPermittedError, match="is paused"):
        async with permits.permitted(ledger, "default", ONE, keep_s=1):
            pass


def _ask(keep: int) -> str:
    return f'{{"limit": 1, "initial": 1, "interval_us": 0, "burst": 1, "keep": {keep}}}'
