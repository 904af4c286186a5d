"""The audit log: every command that changed something, by whom, from where, and with what result.

A service that changes something records it before it answers, whichever way it was called. Who acts is known from the
context: each way in says so once, with `acting`. An entry never holds references, their texts, or secrets. Where it
cannot be written, that is told, and what was done stays done: a stop must not fail because of it.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from cancellist.jobs.errors import CancellistError, LedgerError, LedgerUnavailableError
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.times import rfc3339

Lost = Callable[[str, LedgerError], None]
"""Is told what could not be recorded, and why."""
_LONGEST: Final = 200
_PAGE: Final = 1000
_MOST_LOOKED_AT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        via: the way in: `cli`, `http`, or `program` for anything else. Scripts write `intake` and `worker`.
        who: the caller's name, or the user of the operating system.
        where: the client's address, or the host.
        token: the name of the token that was given beside it.
        lost: is told where an act cannot be recorded.
    """

    via: str = "program"
    who: str = ""
    where: str = ""
    token: str = ""
    lost: Lost = field(default=lambda _act, _error: None, compare=False)


_NOBODY: Final = Actor()
_ACTOR: Final[ContextVar[Actor]] = ContextVar("actor", default=_NOBODY)


def acting(actor: Actor) -> None:
    """Says who acts, in this task and those that it starts from here on."""
    _ACTOR.set(actor)


@dataclass(slots=True)
class Act:
    """What is done: a command's name, its job or account, and what there is to know more, such as `priority=urgent`."""

    what: str
    job: str = ""
    account: str = ""
    about: str = ""


async def record(ledger: Ledger, act: Act, result: str = "done", code: str = "") -> None:
    """Records an act; `result` is `done`, `refused` or `failed`, with the error's code.

    Where that fails, it is told of what was done; who was refused has been told so.
    """
    actor = _ACTOR.get()
    fields = {
        "what": act.what, "job": act.job, "account": act.account, "about": act.about, "via": actor.via,
        "who": actor.who, "where": actor.where, "token": actor.token, "result": result, "code": code,
    }  # fmt: skip
    words = [word for name, value in fields.items() if value for word in (name, plain(value)[:_LONGEST])]
    try:
        await ledger.run("audit", act.account or DEFAULT_ACCOUNT, *words)
    except LedgerError as error:
        if result == "done":
            actor.lost(f"{act.what} {act.job or act.account}".strip(), error)


@asynccontextmanager
async def recorded(
    ledger: Ledger, what: str, *, job: str = "", account: str = "", about: str = ""
) -> AsyncIterator[Act]:
    """Records what a block does, once it is done or was refused. The block may complete the act."""
    act = Act(what, job, account, about)
    try:
        yield act
    except LedgerUnavailableError:  # nor could that be written
        raise
    except LedgerError as error:
        await record(ledger, act, "failed", error.code)
        raise
    except CancellistError as error:
        await record(ledger, act, "refused", error.code)
        raise
    await record(ledger, act)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are read: of a job, of an account, and not older than this; None for any."""

    job: str | None = None
    account: str | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and the entry after which the next page begins; empty where none follows."""

    entries: Sequence[Mapping[str, Any]]
    next: str = ""


async def page(ledger: Ledger, wanted: AuditFilter, *, limit: int, before: str = "") -> Page:
    """The entries that are wanted, newest first.

    Args:
        ledger: the ledger.
        wanted: which ones.
        limit: so many at most; fewer, or none, come where many are not wanted.
        before: `next` of the page before.
    """
    oldest = str(max(0, wanted.since_ms or 0))
    found: list[Mapping[str, Any]] = []
    looked_at, last = 0, f"({before}" if before else "+"
    while looked_at < _MOST_LOOKED_AT:
        with translated():
            rows = await ledger.redis.xrevrange(ledger.keys.audit, last, oldest, count=_PAGE)
        for entry, fields in rows:
            looked_at += 1
            one = _view(entry.decode(), fields)
            if wanted.job in {None, one["job"]} and wanted.account in {None, one["account"]}:
                found.append(one)
            if len(found) == limit:
                return Page(found, entry.decode())
        if len(rows) < _PAGE:
            return Page(found)
        last = f"({rows[-1][0].decode()}"
    return Page(found, last[1:])


def _view(entry: str, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    said = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    names = ("what", "job", "account", "about", "who", "via", "where", "token", "result", "code")
    return {"at": rfc3339(int(entry.partition("-")[0])), **{name: said.get(name) or None for name in names}}
