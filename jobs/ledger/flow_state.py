"""The account's flow control in the ledger: counters that drains share, and the one state that they move."""

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
    """The account's flow as a drain finds it; `drains` is empty where no move is due.

    Attributes:
        moved: whether the state in force is the one that was sent.
        version: of the state, for the next move.
        now_ms: the server's clock.
        in_flight: calls, over all workers.
        list_size: what a 413 has left of it; None where none came.
        state: None where there was never any.
        drains: what the attempts of each drain have shown.
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
    """The state that is to follow a version.

    Attributes:
        version: the one that was found.
        state: the one to follow it.
        shut: what is staged must be let go.
        explore: one call is to name another number of references.
        wording: for what is told of an open breaker; None leaves what is told as it is.
        stale_ms: after which the limit is unknown where nobody moves it on; None leaves that as it is.
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
    """Shares a drain's counters, moves the state where it is still of the version named, and answers what there is.

    Sharing again replaces what was shared before; of several moves from one version the first holds.

    Raises:
        LedgerError: the server cannot do it.
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
    """Has an open breaker let its next probe through at once: a person, or a new worker, may have mended the cause."""
    for _ in range(_TRIES):
        seen = await share(ledger, account)
        if seen.state is None or seen.state.breaker.closed:
            return
        if (await share(ledger, account, move=Move(seen.version, probe_now(seen.state, seen.now_ms)))).moved:
            return


def _counters(packed: bytes) -> Counters | None:
    """What a drain has counted; None where a drain of another version counts what is not understood."""
    try:
        return Counters.unpack(orjson.loads(packed))
    except ValueError:
        return None


def _packed(move: Move) -> bytes:
    """As flow.lua reads it: the state, and the fields of it that claims obey."""
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
