"""A command that the server's ACL forbids refuses a script as a whole: half of one would count references twice."""

from collections.abc import AsyncIterator

import pytest

from cancellist.jobs.errors import LedgerRefusedError, LedgerUnfitError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.scripts.loader import NAMES, Script
from cancellist.jobs.ledger.server.connection import connect
from tests.contract.steps import claim, everything, new_ask, refs, settle, submit
from tests.support.servers import Server


@pytest.fixture
async def limited(ledger: Ledger, any_server: Server) -> AsyncIterator[Ledger]:
    """The same ledger, as a user who may be forbidden things sees it."""
    await ledger.redis.execute_command("ACL", "SETUSER", "limited", "on", "nopass", "~*", "&*", "+@all")
    redis = await connect(any_server.url.replace("unix://", "unix://limited:any@"))
    yield Ledger(redis)
    await redis.aclose()
    await ledger.redis.execute_command("ACL", "DELUSER", "limited")


async def _rules(ledger: Ledger, *rules: str) -> None:
    await ledger.redis.execute_command("ACL", "SETUSER", "limited", *rules)


async def test_settling_is_refused_whole_whichever_command_is_forbidden(ledger: Ledger, limited: Ledger) -> None:
    await submit(ledger, refs(3))
    taken = await claim(ledger)
    before = await everything(ledger)
    for command in sorted({words[0] for words in Script("settle").commands}):
        await _rules(ledger, f"-{command.lower()}")
        with pytest.raises(LedgerRefusedError, match=f"the command {command.lower()}"):
            await settle(limited, taken, then=new_ask())
        await _rules(ledger, f"+{command.lower()}")
        assert await everything(ledger) == before, command
    settled, _ = await settle(limited, taken, then=new_ask())
    assert settled


async def test_keys_and_the_channel_are_asked_for_too(ledger: Ledger, limited: Ledger) -> None:
    await submit(ledger, refs(3))
    taken = await claim(ledger)
    before = await everything(ledger)
    await _rules(ledger, "resetkeys", "~other:*")
    with pytest.raises(LedgerRefusedError):
        await settle(limited, taken)
    await _rules(ledger, "~*", "resetchannels")
    with pytest.raises(LedgerRefusedError):
        await limited.run("release", "default", '{"claims": [], "give": [], "remember": 1}')
    assert await everything(ledger) == before


async def test_a_script_is_refused_whole_whichever_key_holds_another_kind_of_value(ledger: Ledger) -> None:
    await submit(ledger, refs(3))
    taken = await claim(ledger)
    keys = [key.decode() for key in ledger.keys.of_account("default")]
    for key in keys:
        if key in {ledger.keys.accounts, ledger.keys.intake, ledger.keys.rejected}:  # of which no settling has need
            continue
        kept = await ledger.redis.dump(key)
        await ledger.redis.set(key, "another's")
        before = await everything(ledger)
        with pytest.raises(LedgerUnfitError, match=f"in the key {key} what cancellist did not write"):
            await settle(ledger, taken, then=new_ask())
        assert await everything(ledger) == before, key
        await ledger.redis.delete(key)
        if kept:
            await ledger.redis.restore(key, 0, kept)
    settled, _ = await settle(ledger, taken, then=new_ask())
    assert settled


@pytest.mark.parametrize("name", NAMES)
def test_what_a_script_may_run_is_found_through_the_functions_that_it_calls(name: str) -> None:
    commands = {words[0] for words in Script(name).commands}
    assert "TIME" in commands
    assert ("XADD" in commands) == (
        name in {"intake", "reject", "claim", "settle", "release", "sweep", "slice", "audit"}
    )
