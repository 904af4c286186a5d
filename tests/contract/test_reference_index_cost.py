"""The index of references is a file: it costs the server no memory, and whoever deletes it loses nothing."""

import asyncio
from pathlib import Path

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references.ledger_identity import identity_key
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from tests.contract.steps import claim, drained, refs, settle, submit

COUNT = 500
_SMALL = 200
"""Bytes of the ledger's one word, which says whose the file is."""


async def kept(ledger: Ledger) -> dict[str, tuple[int, bytes]]:
    """What the server keeps: the memory and the content of each key."""
    names = sorted([name async for name in ledger.redis.scan_iter()])
    return {
        name.decode(): (await ledger.redis.memory_usage(name, samples=0) or 0, await ledger.redis.dump(name) or b"")
        for name in names
    }


async def answers(ledger: Ledger, folder: Path) -> list[object]:
    """What is said of references of each kind, by an index that is opened for it."""
    index = ReferenceIndex(ledger, folder, jobs_keep_s=1e7)
    try:
        return [await index.find(one, before=None, limit=10) for one in refs(COUNT + 1)[::25]]
    finally:
        await index.close()


async def test_it_costs_the_server_nothing_and_is_made_anew_with_the_same_answers(
    ledger: Ledger, tmp_path: Path
) -> None:
    for _ in range(2):
        await submit(ledger, refs(COUNT))
        await drained(ledger)
    await submit(ledger, refs(COUNT))  # of this one some are settled, some claimed, some queued
    await settle(ledger, await claim(ledger))
    await claim(ledger)
    before = await kept(ledger)

    first = await answers(ledger, tmp_path)
    after = await kept(ledger)
    word = after.pop(identity_key(ledger))
    assert word[0] < _SMALL
    assert after == before

    for file in await asyncio.to_thread(lambda: [*tmp_path.glob("references-*.sqlite*")]):
        file.unlink()
    assert await answers(ledger, tmp_path) == first
    assert await kept(ledger) == before | {identity_key(ledger): word}
