"""A stream of events on which nothing happens is kept alive by comments, which say nothing."""

import asyncio
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from cancellist.api.events.sampler import KEEP_ALIVE_S, Sampler
from cancellist.api.events.streams import _stream
from tests.contract import steps
from tests.support import ROOT
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server

ALIVE = b":\n\n"


@pytest.mark.parametrize("of_all", [True, False])
async def test_comments_come_while_nothing_happens_and_what_happens_comes_between(valkey: Server, of_all: bool) -> None:
    async with opened_ledger(valkey.url, emptied=True) as ledger:
        job = (await steps.submitted(ledger, steps.refs(3))).job
        stopping = asyncio.Event()
        context: Any = SimpleNamespace(sampler=Sampler(ledger, stopping, every_s=0.01, keep_alive_s=0.02))
        async with aclosing(_stream(context, None if of_all else job, None)) as stream:
            assert (await anext(stream)).startswith(b"retry: ")
            assert b"event: snapshot" in await told(stream)
            for _ in range(2):
                while await anext(stream) != ALIVE:
                    pass
            await steps.drained(ledger)
            while b"event: end" not in (one := await told(stream)):
                assert b"event: change" in one or b"event: snapshot" in one
            if not of_all:
                assert [block async for block in stream] == []
            stopping.set()


async def told(stream: Any) -> bytes:
    """The next piece that says something of a job."""
    while (one := await anext(stream)) == ALIVE or b"event: reset" in one:
        pass
    return bytes(one)


def test_they_come_as_often_as_the_reference_says() -> None:
    text = (ROOT / "docs/reference/http-api.md").read_text()
    assert f"A comment comes every {KEEP_ALIVE_S:g} seconds." in text
