"""The account's flow control in the ledger: one counter set a drain, and one state that all drains move together."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

import orjson

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow.controller import FlowState, probe_now
from cancellist.jobs.flow.counters import Counters
from cancellist.jobs.flow.events import opened_why
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import BreakerCause

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Shared:
    """The account's flow control as a drain finds it; `drains` is empty where no move is due.

    Attributes:
        moved: whether the state in force is the one that the drain sent.
        version: the version of the state, for the next move.
        now_ms: the server's clock.
        in_flight: calls in flight over all workers.
        list_size: the batch size that a 413 has set; None where none came.
        state: None before the first move.
        drains: the counters of each drain.
    """

    moved: bool
    version: int
    now_ms: int
    in_flight: int
    list_size: int | None
    state: FlowState | None
    drains: Mapping[str, Counters]


@dataclass(frozen=True, slots=True)
class Move:
    """A new state, to follow a version by compare-and-set.

    Attributes:
        version: the version that was found.
        state: the state to follow it.
        shut: whether workers must release what is staged.
        explore: whether one call is to try another batch size.
        wording: names for the advice on an open breaker; None keeps the advice.
        stale_ms: how long the limit holds without another move; None keeps the value.
    """

    version: int
    state: FlowState
    shut: bool = False
    explore: bool = False
    wording: SettingNames | None = None
    stale_ms: int | None = None


async def share(
    ledger: Ledger,
    account: str,
    drain: str | None = None,
    counters: Counters | None = None,
    *,
    every_ms: int = 0,
    move: Move | None = None,
) -> Shared:
    """Shares a drain's counters, makes a move if its version is still in force, and returns what is there.

    Counters replace the drain's earlier ones. Of several moves from one version only the first takes effect.

    Raises:
        LedgerError: the server cannot be used.
    """
    document: dict[str, object] = {"every": every_ms}
    if drain is not None and counters is not None:
        document |= {"drain": drain, "counters": orjson.dumps(counters.packed()).decode()}
    reply = await ledger.run("flow", account, orjson.dumps(document), _packed(move) if move else b"")
    moved, version, now_ms, in_flight, list_size, packed = reply[:6]
    counted = ((reply[i].decode(), _counters(reply[i + 1])) for i in range(6, len(reply), 2))
    drains = {name: counters for name, counters in counted if counters is not None}
    state = FlowState.unpack(orjson.loads(packed)) if packed else None
    return Shared(bool(moved), int(version), int(now_ms), int(in_flight), int(list_size) or None, state, drains)


async def probe(ledger: Ledger, account: str) -> None:
    """Lets an open breaker probe at once, since a person or a new worker may have fixed the cause."""
    for _ in range(_TRIES):
        seen = await share(ledger, account)
        if seen.state is None or seen.state.breaker.closed:
            return
        if (await share(ledger, account, move=Move(seen.version, probe_now(seen.state, seen.now_ms)))).moved:
            return


def _counters(packed: bytes) -> Counters | None:
    """A drain's counters; None where a drain of another version wrote counters that this one cannot read."""
    try:
        return Counters.unpack(orjson.loads(packed))
    except ValueError:
        return None


def _packed(move: Move) -> bytes:
    """A move in the form of flow.lua: the state, and the fields that claims obey."""
    state, breaker = move.state, move.state.breaker
    fields: dict[str, object | None] = {
        "limit": floor(state.limit),
        "interval": state.interval_us or None,
        "spread": 1 if state.interval_us > state.pacing.in_force_us else None,
        "size": state.list_size,
        "breaker": None if breaker.closed else (breaker.kind or BreakerCause.OUTAGE).value,
        "breaker_next": None if breaker.closed else breaker.next_probe_ms,
    }
    if breaker.closed:
        fields |= {"breaker_probe": None, "breaker_since": None, "breaker_why": None}
    elif move.wording is not None:
        fields["breaker_why"] = opened_why(breaker, move.wording)
    if move.stale_ms is not None:
        fields["limit_stale"] = move.stale_ms
    if move.explore:
        fields["explore"] = state.explore
    return orjson.dumps(
        {
            "version": move.version,
            "state": orjson.dumps(state.packed()).decode(),
            "once": {} if breaker.closed else {"breaker_since": breaker.since_ms},
            "set": {name: value for name, value in fields.items() if value is not None},
            "unset": [name for name, value in fields.items() if value is None],
            "gate": int(move.shut),
        }
    )
