"""What the ledger keeps of calls that burnt nothing at first, so that what fails alone comes to its end."""

from dataclasses import replace

import pytest

from cancellist.jobs.model import Piece, Priority
from cancellist.jobs.responses.steps import CallAgain, ReadState
from cancellist.jobs.responses.verdicts import NO_ANSWER, OF_THE_CALLER
from tests.contract.steps import TERMS, claim, refs, settle, submit

LONE, FIVE = replace(TERMS, per_call=1), replace(TERMS, per_call=5)


def refused(piece: Piece, after: int, *, lone: bool = True) -> CallAgain:
    """A call that was refused for the caller, or not answered: it burns nothing at first."""
    return CallAgain(0.0, piece.attempts, piece.named + 1, unclear_s=0.001, alone_after=after, lone=lone)


async def call_in_vain(ledger, after, times=1, *, terms=LONE):
    """Calls what is next so often in vain; answers its history then."""
    for _ in range(times):
        taken = await claim(ledger, terms=terms)
        await settle(ledger, taken, refused(taken.parts[0].piece, after, lone=terms is LONE))
    return (await _peek(ledger, terms)).parts[0].piece


async def _peek(ledger, terms=LONE):
    taken = await claim(ledger, terms=terms)
    piece = taken.parts[0].piece
    await settle(ledger, taken, CallAgain(0.0, piece.attempts, piece.named))  # no call was made: nothing is noted
    return taken


async def another_does_well(ledger):
    """Others of the account are cancelled, a moment later by the server's clock."""
    await a_moment(ledger)
    await submit(ledger, refs(5, first=500), priority=Priority.URGENT)
    await settle(ledger, await claim(ledger, terms=FIVE), well=True)
    await a_moment(ledger)


async def a_moment(ledger):
    """Waits until the server's clock has moved on."""
    before = await ledger.now_ms()
    while await ledger.now_ms() == before:
        pass


async def test_while_nothing_else_does_well_nothing_is_burnt_however_often_it_is_called(ledger):
    await submit(ledger, refs(1))
    piece = await call_in_vain(ledger, NO_ANSWER, 12)
    assert (piece.attempts, piece.named, piece.unanswered, piece.alone) == (0, 12, 12, 0)


@pytest.mark.parametrize("after", [NO_ANSWER, OF_THE_CALLER])
async def test_a_lone_reference_burns_attempts_once_others_have_done_well_often_enough_in_between(ledger, after):
    await submit(ledger, refs(1))
    attempts = []
    for _ in range(after + 4):
        attempts.append((await call_in_vain(ledger, after)).attempts)
        await another_does_well(ledger)
    assert attempts == [0] * (after + 1) + [1, 2, 3]
    assert (await call_in_vain(ledger, after, 2)).attempts == 5  # by now it is known whose doing it is


@pytest.mark.parametrize("after", [NO_ANSWER, OF_THE_CALLER])
async def test_that_reads_do_well_says_nothing_of_calls(ledger, after):
    await submit(ledger, refs(1))
    for _ in range(3):
        piece = await call_in_vain(ledger, after)
        await settle(ledger, await claim(ledger, terms=LONE), ReadState(0.0, piece.attempts, piece.named))
        taken = await claim(ledger, terms=LONE)
        assert taken.kind == "reads"
        await a_moment(ledger)
        await settle(ledger, taken, CallAgain(0.0, piece.attempts, piece.named, cleared=True), well=True)
        await a_moment(ledger)
    assert (await _peek(ledger)).parts[0].piece.alone == 0


async def test_once_others_have_done_well_time_counts_too_while_no_other_is_refused(ledger):
    await submit(ledger, refs(1))
    await call_in_vain(ledger, OF_THE_CALLER)
    await another_does_well(ledger)
    alone = []
    for _ in range(3):
        alone.append((await call_in_vain(ledger, OF_THE_CALLER)).alone)
        await a_moment(ledger)
    assert alone == [1, 2, 3]  # nothing else is there any more
    await submit(ledger, refs(5, first=500), priority=Priority.URGENT)
    taken = await claim(ledger, terms=FIVE)
    await settle(ledger, taken, replace(refused(taken.parts[0].piece, OF_THE_CALLER, lone=False), delay_s=60.0))
    await a_moment(ledger)
    assert (await call_in_vain(ledger, OF_THE_CALLER)).alone == 3  # it may be the account's


async def test_a_list_burns_nothing_since_it_is_not_known_which_of_it_is_to_blame(ledger):
    await submit(ledger, refs(5))
    for _ in range(4):
        piece = await call_in_vain(ledger, NO_ANSWER, terms=FIVE)
        await another_does_well(ledger)
    assert (piece.attempts, piece.unanswered, piece.alone) == (0, 4, 3)


async def test_a_call_that_ends_otherwise_begins_the_count_anew(ledger):
    await submit(ledger, refs(1))
    await call_in_vain(ledger, OF_THE_CALLER, 3)
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 4, unclear_s=1.0))
    piece = (await _peek(ledger)).parts[0].piece
    assert (piece.attempts, piece.unanswered, piece.alone) == (1, 0, 0)


async def test_a_read_between_two_calls_keeps_the_count_and_when_the_last_call_was(ledger):
    await submit(ledger, refs(1))
    before = await call_in_vain(ledger, OF_THE_CALLER, 3)
    await settle(ledger, await claim(ledger), ReadState(0.0, 0, before.named))
    taken = await claim(ledger)
    assert taken.kind == "reads"
    await settle(ledger, taken, CallAgain(0.0, 0, before.named, cleared=True), well=True)
    after = (await _peek(ledger)).parts[0].piece
    assert (after.unanswered, after.alone, after.called_ms) == (3, 0, before.called_ms)


async def test_that_it_was_deallocated_is_kept_whatever_comes_and_told_where_the_job_ends_first(ledger):
    await submit(ledger, refs(1))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 1, deallocated=True))
    await settle(ledger, await claim(ledger), ReadState(0.0, 1, 2))
    await settle(ledger, await claim(ledger), CallAgain(0.0, 1, 2, cleared=True))
    assert (await claim(ledger)).parts[0].piece.deallocated
