"""Reinstatements in the ledger: who creates which consignment anew, and what became of it.

Every request is claimed before it is sent. So two runs never send one for the same consignment, and a run that died
leaves behind what is unclear.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger.core import Ledger, known
from cancellist.jobs.ledger.plans import name_of
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.safety.guard import Guard, unpack_approvals

_AT_ONCE: Final = 1000


class ClaimState(StrEnum):
    """What became of the attempt to reinstate a consignment."""

    SENDING = "sending"
    UNCONFIRMED = "unconfirmed"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Claim:
    """The attempt that stands.

    Attributes:
        reference: the old consignment.
        attempt: the name of the attempt.
        at_ms: when it was claimed.
        until_ms: when its request is surely sent no more.
        new: the new consignment, where it was made.
    """

    reference: str
    state: ClaimState
    attempt: str
    at_ms: int
    until_ms: int
    new: str | None = None


def new_attempt() -> str:
    """A name for an attempt, or for a run."""
    return secrets.token_hex(6)


async def standing(ledger: Ledger, account: str, references: Sequence[str]) -> dict[str, Claim]:
    """The attempts that stand for these references; those without one are left out."""
    found: dict[str, Claim] = {}
    for at in range(0, len(references), _AT_ONCE):
        some = references[at : at + _AT_ONCE]
        with translated():
            texts = await ledger.redis.hmget(ledger.keys.reinstated(account), some)
        found |= {one: _claim(one, text) for one, text in zip(some, texts, strict=True) if text}
    return found


async def claim(
    ledger: Ledger, account: str, reference: str, *, attempt: str, run: str, lease_ms: int, given_up: str = ""
) -> Claim | None:
    """Claims the reinstatement of a consignment; returns the attempt that stands where it is another's.

    Args:
        ledger: the ledger.
        account: whose consignment it is.
        reference: the old consignment.
        attempt: the name of this attempt.
        run: the name of the run.
        lease_ms: after so long its request is surely sent no more.
        given_up: the attempt of which a person knows that it has created nothing.
    """
    words = (reference, attempt, run, lease_ms, given_up)
    reply = await ledger.run("reinstate_claim", account, *words)
    return _claim(reference, reply) if isinstance(reply, bytes) else None


async def note_made(ledger: Ledger, account: str, reference: str, attempt: str, new: str) -> bool:
    """Notes the new consignment; returns whether the attempt still stood."""
    return bool(int(await ledger.run("reinstate_note", account, reference, attempt, ClaimState.MADE, new)))


async def note_unconfirmed(ledger: Ledger, account: str, reference: str, attempt: str) -> None:
    """Notes that the consignment may have been created."""
    await ledger.run("reinstate_note", account, reference, attempt, ClaimState.UNCONFIRMED, "")


async def free(ledger: Ledger, account: str, reference: str, attempt: str) -> None:
    """Gives a claim back, of which surely nothing was created."""
    await ledger.run("reinstate_note", account, reference, attempt, "free", "")


async def approvals_wanted(ledger: Ledger, account: str, own: Guard, count: int) -> int:
    """How many others must approve that so many are created: by the strictest of our own guard and those of workers.

    The ledger has the guards of workers, also after the last of them has gone (lua/shared/safeguards.lua).

    Raises:
        LedgerError: a guard cannot be read.
    """
    with translated():
        text = await ledger.redis.hget(ledger.keys.state(account), "safeguards")
    try:
        packed = [one.get("guard") for one in orjson.loads(text).values()] if text else []
        guards = [unpack_approvals(one) for one in packed if one]
    except (ValueError, AttributeError):
        raise LedgerError(
            f"the guards of account {account} cannot be read, so it is not known who must approve",
            hint="its workers note them anew each second: run one of the present version",
        ) from None
    return max(one.approvals_of_a_reinstatement(count) for one in (own, *guards))


async def approvals(ledger: Ledger, account: str, token: str, by: str = "") -> frozenset[str]:
    """Who has approved the plan of a reinstatement, after `by` has."""
    reply = await ledger.run("reinstate_approve", account, name_of(token), by)
    return frozenset(one.decode() for one in reply)


def _claim(reference: str, text: bytes) -> Claim:
    h = orjson.loads(text)
    state = known(ClaimState, h["state"])
    return Claim(reference, state, h["attempt"], int(h["at"]), int(h["until"]), h.get("new"))
