"""Plans in the ledger: kept until they expire, read by one worker at a time, and used by one job.

A plan is known by its token, which is in nobody's hands but the planner's: the ledger has only its SHA-256.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from cancellist.jobs.errors import UnknownPlanError
from cancellist.jobs.ledger.core import FORMAT, Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.safety.reference_set import ReferenceSet, binding

_PREFIX: Final = "pl_"
_BYTES: Final = 16
_TOKEN: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{{2 * _BYTES}}}", re.ASCII)
_ANY_TOKEN: Final = re.compile(_TOKEN.pattern, re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that is to be kept.

    Attributes:
        account: whose references they are.
        content: the digest of the references (jobs/safety/reference_set.py).
        count: how many there are.
        host: the platform's host; empty where a worker is to say it.
        made_by: who plans, as far as it is known.
    """

    account: str
    content: str
    count: int
    host: str = ""
    made_by: str | None = None

    def packed(self) -> bytes:
        """The stored form."""
        fields: dict[str, Any] = {
            "v": FORMAT, "host": self.host, "content": self.content, "count": self.count,
            "digest": self.digest,
        }  # fmt: skip
        return orjson.dumps(fields | ({"made_by": self.made_by} if self.made_by else {}))

    @property
    def digest(self) -> str:
        """The digest that the plan shows."""
        return binding(self.account, self.host, self.content)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands.

    Attributes:
        token: by which it is known.
        ready: whether its report is there.
        digest: of its account, host and references; only of use where it is ready.
        job: the job that has used it.
        report: what was found; None where it is not ready.
    """

    token: str = field(repr=False)
    account: str
    ready: bool
    count: int
    digest: str
    made_by: str | None
    created_at_ms: int
    expires_at_ms: int
    job: str | None
    report: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PlanToRead:
    """A plan that a worker is to read.

    Attributes:
        name: the digest of its token.
        lease: the worker's name for this reading.
        request: what to read.
    """

    name: str
    lease: str
    account: str
    content: str
    made_by: str | None
    request: Mapping[str, Any]


def name_of(token: str) -> str:
    """The name under which the ledger has the plan of a token."""
    return hashlib.sha256(token.encode(errors="backslashreplace")).hexdigest()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def following(token: str, host: str, references: ReferenceSet, named: str | None = None) -> dict[str, str | int]:
    """What a job that follows a plan is compared by (lua/shared/plans.lua); `named` is a host that was named for it."""
    found: dict[str, str | int] = {
        "name": name_of(token), "host": host, "content": references.digest(), "count": references.count,
    }  # fmt: skip
    if named:
        found["named"] = named
    return found


def hidden(text: str) -> str:
    """A text without the tokens in it, whatever stands around them."""
    return _ANY_TOKEN.sub("***", text)


async def keep(ledger: Ledger, draft: Draft, report: Mapping[str, Any], *, keep_s: float) -> Plan:
    """Keeps a plan with its report.

    Raises:
        LedgerError: the server does not take it.
    """
    made = await _make(ledger, draft, b"", orjson.dumps(report), keep_s)
    return replace(made, report=report)


async def hand_in(ledger: Ledger, draft: Draft, request: Mapping[str, Any], *, keep_s: float) -> Plan:
    """Keeps a plan that a worker of its account is to read.

    Raises:
        LedgerError: the server does not take it.
    """
    return await _make(ledger, draft, orjson.dumps(request), b"", keep_s)


async def _make(ledger: Ledger, draft: Draft, request: bytes, report: bytes, keep_s: float) -> Plan:
    token, keep_ms = _PREFIX + secrets.token_hex(_BYTES), max(1, round(keep_s * 1000))
    words = (name_of(token), keep_ms, draft.packed(), request, report)
    expires_at_ms = int(await ledger.run("plan_make", draft.account, *words))
    return Plan(
        token=token,
        account=draft.account,
        ready=bool(report),
        count=draft.count,
        digest=draft.digest,
        made_by=draft.made_by,
        created_at_ms=expires_at_ms - keep_ms,
        expires_at_ms=expires_at_ms,
        job=None,
        report=None,
    )


async def get(ledger: Ledger, token: str) -> Plan:
    """A plan as it stands.

    Raises:
        UnknownPlanError: there is none, or it has expired.
    """
    if not is_token(token):
        raise UnknownPlanError
    key = ledger.keys.plan(name_of(token))
    with translated():
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.get(key)
        pipe.get(f"{key}:report")
        stored, report = await pipe.execute()
    if stored is None:
        raise UnknownPlanError
    h: dict[str, Any] = orjson.loads(stored)
    return Plan(
        token=token,
        account=h["account"],
        ready=h["state"] == "ready",
        count=int(h["count"]),
        digest=h["digest"],
        made_by=h.get("made_by"),
        created_at_ms=int(h["created_at"]),
        expires_at_ms=int(h["expires_at"]),
        job=h.get("job"),
        report=orjson.loads(report) if report and h["state"] == "ready" else None,
    )


async def take(ledger: Ledger, accounts: Iterable[str], *, lease_ms: int) -> PlanToRead | None:
    """Takes the plan that has waited longest, of one of these accounts; None where there is none."""
    with translated():  # a look costs less than a script, and there is nearly always nothing
        if not await ledger.redis.zrange(ledger.keys.plans, 0, 0):
            return None
    lease = secrets.token_hex(8)
    reply = await ledger.run("plan_take", DEFAULT_ACCOUNT, lease, lease_ms, *accounts)
    if not reply:
        return None
    name, stored, request = reply
    h = orjson.loads(stored)
    return PlanToRead(name.decode(), lease, h["account"], h["content"], h.get("made_by"), orjson.loads(request))


async def renew(ledger: Ledger, taken: PlanToRead, *, lease_ms: int) -> bool:
    """Says that the reading goes on; returns whether the plan is still ours."""
    return bool(int(await ledger.run("plan_lease", taken.account, taken.name, taken.lease, lease_ms, "")))


async def give_back(ledger: Ledger, taken: PlanToRead, *, after_ms: int) -> None:
    """Gives a plan back, to be taken once more after so long."""
    await ledger.run("plan_lease", taken.account, taken.name, taken.lease, after_ms, "1")


async def report(ledger: Ledger, taken: PlanToRead, host: str, found: Mapping[str, Any]) -> bool:
    """Writes the report of a plan; returns whether it was still ours, and there."""
    digest = binding(taken.account, host, taken.content)
    words = (taken.name, taken.lease, host, digest, orjson.dumps(found))
    return bool(int(await ledger.run("plan_report", taken.account, *words)))
