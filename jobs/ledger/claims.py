"""The worker's side of the ledger: claim, settle, renew and release."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from cancellist.jobs.flow.batch_size import ListSearch, TriedBatch
from cancellist.jobs.ledger.accounts import LIVE_MS
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.ledger.pieces import unpack_piece
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import Piece
from cancellist.jobs.responses.steps import CallAgain, ReadState, Step, WriteResult
from cancellist.jobs.safety.environment import Environment

Mode = Literal["any", "slot", "staged", "leave"]
MOST_REFERENCES = 1000
"""References in one release at most, so that no script touches more than 2,000."""
START_LEASE_MS = 250
"""How long calls of jobs with a failure stop may start unasked, as the ledger counts: no such job halts before. A
worker starts none so late (`worker/drain/gate_watch.py`)."""
_URGENT_BELOW = 1e14
"""Scores of the class `urgent` (lua/shared/queues.lua)."""
Kind = Literal["calls", "alone", "reads"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits under which a drain claims.

    Attributes:
        limit: calls in flight at most, over all workers.
        initial: the first limit, until flow control has one.
        interval_us: microseconds between calls; 0 without a rate limit.
        requests: how many requests of a call that covers.
        burst: calls that may start at once under a rate limit.
        per_call: references a call.
        linger_ms: how long a part-filled call waits for more references.
        lease_ms: how long a claim holds unless it is renewed.
        search: how the largest batch size is searched for after a batch was refused for its length.
        platform: where the calls go; None where that is not to be judged.
    """

    limit: int = 8
    initial: int = 16
    interval_us: int = 0
    burst: int = 1
    per_call: int = 100
    linger_ms: int = 20
    lease_ms: int = 9000
    search: ListSearch = field(default_factory=ListSearch)
    platform: Environment | None = None
    requests: int = 1
    keeps_records: bool = True

    @property
    def live_ms(self) -> int:
        """How long a drain counts as live after its last request."""
        return min(self.lease_ms, LIVE_MS)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for the next claim. `claim` is the new claim's id, so a repeated request gets the same answer.

    `start_ms` asks for a start lease of that length: see `Claim.leased`.
    """

    claim: str
    drain: str
    mode: Mode
    slots: int
    terms: Terms
    start_ms: int = 0

    def packed(self) -> bytes:
        """As claim.lua reads it."""
        t = self.terms
        return orjson.dumps(
            ({} if t.keeps_records else {"bare": 1})
            | {
                "claim": self.claim, "drain": self.drain, "live": t.live_ms, "mode": self.mode, "slots": self.slots,
                "limit": t.limit, "initial": t.initial, "interval_us": t.interval_us, "burst": t.burst,
                "requests": t.requests,
                "per_call": t.per_call, "search": _search(t.search), "linger": t.linger_ms, "lease": t.lease_ms,
                "called": t.platform.host if t.platform else "",
                "host": t.platform.host if t.platform and not t.platform.is_sandbox else "",
            }
            | ({"start": self.start_ms} if self.start_ms else {})
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """The references of one job in a claim."""

    job: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class Claim:
    """References for one call. The call may start if the claim has a slot; else the claim is staged.

    Attributes:
        score: the order of staged claims; the lowest goes first.
        gate: the gate's version when the claim was granted. The call may start only while the version stays the same.
        gate_now: the gate's version at this answer. It is newer than `gate` where a request was repeated.
        server_ms: the server's clock at this answer.
        probe: whether the call probes an open breaker. It burns no attempt.
        size: the references of a full call at the grant.
        delay_ms: how long the call must wait, since its rate token was granted ahead of time.
        limit: calls in flight that were allowed, over all workers.
        urgent_out: urgent calls over all workers that were granted before and are not settled.
        give: slots that the drain should give back as they become free.
        guarded: whether a job of the claim has a failure stop. The gate must be asked when its call starts.
        leased: whether it need not be, for a moment from the request, for any call of the account: no job halts by its
            results until then.
        kept: the jobs of the claim that want the record of each reference kept before its call.
        apart_us: microseconds between the requests for records; 0 without a rate limit.
    """

    id: str
    kind: Kind
    parts: tuple[Part, ...]
    has_slot: bool
    score: float
    gate: int
    gate_now: int
    server_ms: int
    probe: bool
    size: int
    delay_ms: int
    limit: int
    urgent_out: int = 0
    give: int = 0
    guarded: bool = False
    kept: frozenset[str] = frozenset()
    apart_us: int = 0
    leased: bool = False

    @property
    def urgent(self) -> bool:
        """Whether it holds references of the class `urgent`."""
        return self.score < _URGENT_BELOW

    @property
    def references(self) -> list[str]:
        """Every reference once, in order, also where two jobs name it."""
        if len(self.parts) == 1:
            return list(self.parts[0].piece.references)
        return list(dict.fromkeys(r for part in self.parts for r in part.piece.references))


@dataclass(frozen=True, slots=True)
class Wait:
    """No claim now. `wait_ms` is when to ask again, -1 where nothing is due; the rest is as for `Claim`."""

    wait_ms: int
    why: str
    gate_now: int
    limit: int
    urgent_out: int = 0
    give: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """The next step of some references of a part; `references` is None where it is for all of them."""

    step: Step
    references: tuple[str, ...] | None
    count: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a claim: the shares of each of its parts, in the order of the parts.

    Attributes:
        give: slots to give back.
        rest_ms: slots that stay taken for so many milliseconds without renewal.
        hold_ms: how long the account must make no call.
        hold_why: the reason for the hold, for people.
        listed: what the call showed about the largest batch size.
        learnt: the fingerprint of a refusal text, and the class of state that a read found behind it.
        trouble: the record of a call that did not simply succeed.
        slow_s: the pause before retries once the account's retry budget is spent.
        well: whether the platform answered for the references. Failures of others meanwhile may then be their own.
    """

    claim: str
    parts: Sequence[Sequence[Share]]
    give: Sequence[str] = ()
    rest_ms: dict[str, int] | None = None
    hold_ms: int = 0
    hold_why: str | None = None
    listed: TriedBatch | None = None
    learnt: tuple[str, str] | None = None
    trouble: TroubledCall | None = None
    slow_s: float = 0.0
    well: bool = False


class HaltPutOffError(Exception):
    """A settlement would halt a job of which calls may start for another `wait_ms`, or comes after one that would.

    It must be sent again then.
    """

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"the halt is put off by {wait_ms} ms")
        self.wait_ms = wait_ms


async def claim(ledger: Ledger, account: str, ask: Ask) -> Claim | Wait:
    """Claims references for one call, and the permission to make it. A repeated request gets the same claim."""
    return _read_next(ask, await ledger.run("claim", account, ask.packed()))


async def settle(
    ledger: Ledger, account: str, settlement: Settlement, ask: Ask | None, terms: Terms
) -> tuple[bool, Claim | Wait | None]:
    """Settles a claim and claims the next in one step.

    Returns:
        Whether the claim was still ours, and the next claim; the latter is None where `ask` is. A repeated request gets
        the same answer.

    Raises:
        HaltPutOffError: nothing is settled yet.
    """
    document = {
        "claim": settlement.claim,
        "remember": 2 * terms.lease_ms,
        "give": list(settlement.give),
        "rest": settlement.rest_ms or {},
        "hold": settlement.hold_ms,
        "slow": _ms(settlement.slow_s),
        "search": _search(terms.search),
        "parts": [[_group(share) for share in shares] for shares in settlement.parts],
    }
    if settlement.well:
        document["well"] = 1
    if settlement.hold_why is not None:
        document["hold_why"] = settlement.hold_why
    if settlement.listed is not None:
        document["listed"] = [settlement.listed.references, int(settlement.listed.taken)]
    if settlement.learnt is not None:
        document["learnt"] = settlement.learnt
    if settlement.trouble is not None:
        document["trouble"] = settlement.trouble.fields()
    reply = await ledger.run("settle", account, orjson.dumps(document), ask.packed() if ask else b"")
    if reply[0] == b"wait":
        raise HaltPutOffError(int(reply[1]))
    return reply[0] == b"settled", _read_next(ask, reply[1:]) if ask else None


async def renew(
    ledger: Ledger, account: str, drain: str, terms: Terms, claims: Sequence[str], slots: Sequence[str]
) -> tuple[int, set[str], set[str]]:
    """Renews leases; returns the gate's version, and the claims and slots that are no longer ours."""
    document = {
        "drain": drain, "live": terms.live_ms, "lease": terms.lease_ms, "claims": list(claims), "slots": list(slots),
    }  # fmt: skip
    reply = await ledger.run("renew", account, orjson.dumps(document))
    lost = [name.decode() for name in reply[2:]]
    return int(reply[0]), set(lost[: int(reply[1])]), set(lost[int(reply[1]) :])


async def release(ledger: Ledger, account: str, claims: Sequence[str], slots: Sequence[str], terms: Terms) -> int:
    """Gives back claims that were not sent, and slots; returns how many of the claims were ours."""
    document = {"claims": list(claims), "give": list(slots), "remember": 2 * terms.lease_ms}
    return int(await ledger.run("release", account, orjson.dumps(document)))


async def leave(ledger: Ledger, account: str, drain: str) -> None:
    """Takes a drain that ends off the list of live drains."""
    with translated():
        await ledger.redis.zrem(ledger.keys.drains(account), drain)


def _read_next(ask: Ask, reply: Sequence[Any]) -> Claim | Wait:
    gate, give, limit, urgent = (int(number) for number in reply[1:5])
    if reply[0] == b"wait":
        return Wait(int(reply[5]), reply[6].decode(), gate, limit, urgent, give)
    slot, kind, score, server_ms, probe, size, delay_ms, under, guarded, kept, apart = reply[5:16]
    parts = tuple(Part(reply[i].decode(), unpack_piece(reply[i + 1])) for i in range(16, len(reply), 2))
    return Claim(
        ask.claim, kind.decode(), parts, bool(slot), float(score), int(under), gate, int(server_ms), bool(probe),
        int(size), int(delay_ms), limit, urgent, give, bool(guarded),
        frozenset(kept.decode().split()), int(apart), int(guarded) > 1,
    )  # fmt: skip


def _search(search: ListSearch) -> dict[str, float]:
    return {"look": search.look_every, "near": search.near, "rarest": search.rarest}


def _group(share: Share) -> dict[str, object]:
    refs = "*" if share.references is None else "\n".join(share.references)
    group: dict[str, object] = {"refs": refs, "count": share.count}
    known: tuple[tuple[str, object], ...]
    match share.step:
        case WriteResult() as s:
            known = (("status", s.status), ("message", s.message), ("state", s.state))
            group |= {"outcome": s.outcome.value, "attempts": s.attempts}
        case CallAgain() as s:
            known = (("group", s.group), ("status", s.status), ("state", s.state), ("r", s.reads or None))
            group |= {"back": "calls" if s.group is None else "alone", "clear": int(s.cleared)} | _history(s)
        case ReadState() as s:
            known = (("s", s.refusal_status), ("w", s.refusal_words))
            group |= {"back": "reads", "clear": 0, "r": s.reads} | _history(s) | ({"e": 2} if s.confirmed else {})
    return group | {name: value for name, value in known if value is not None}


def _history(step: CallAgain | ReadState) -> dict[str, object]:
    history: dict[str, object] = {
        "delay": _ms(step.delay_s), "a": step.attempts, "n": step.named, "unclear": _ms(step.unclear_s),
    }  # fmt: skip
    if step.alone_after:
        history |= {"after": step.alone_after, "lone": int(isinstance(step, ReadState) or step.lone)}
    return history | ({"d": 1} if step.deallocated else {})


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
