"""Other persons approve a reinstatement where the account asks for that: by the plan that one has made of it."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cancellist.cli import session
from cancellist.cli.actions.reinstate_work import Work
from cancellist.cli.output import wording
from cancellist.cli.terminal import say
from cancellist.jobs.errors import CancellistError, ForbiddenError, PlanError
from cancellist.jobs.ledger import audit, plans, reinstatements
from cancellist.jobs.ledger.audit import Act
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.safety.reference_set import ReferenceSet, binding


@dataclass(frozen=True, slots=True)
class Approvals:
    """What approvals a run has: how many it wants, who has given one, and who has planned it."""

    wanted: int = 0
    given: frozenset[str] = frozenset()
    planned_by: str | None = None

    def section(self) -> dict[str, Any]:
        """What a receipt says of them."""
        return {"wanted": self.wanted, "given": sorted(self.given), "planned_by": self.planned_by}


async def approvals_wanted(work: Work, number: int) -> int:
    """How many other persons must approve that so many are created: by our settings and those of all workers."""
    async with session.ledger_of(work.settings) as there:
        return await _wanted(there.ledger, work, number)


async def _wanted(ledger: Ledger, work: Work, number: int) -> int:
    return await reinstatements.approvals_wanted(ledger, work.account, work.own.safeguards.guard, number)


async def planned(work: Work, number: int, wanted: int) -> str:
    """Keeps what is planned, so that other persons can approve it, and says so; returns its token."""
    draft = Draft(work.account, content(work), number, work.own.environment.host, work.by)
    async with session.ledger_of(work.settings) as there, recorded(there.ledger, work, f"planned count={number}"):
        plan = await plans.keep(there.ledger, draft, {"reinstate": work.asked.target}, keep_s=work.own.plan_keep)
    others = "another person" if wanted == 1 else f"{wanted} other persons"
    within = wording.span(work.own.plan_keep)
    say(f"nothing was created: within {within} {others} with the role approve must look at it and approve it by")
    say(f"  cancellist reinstate {work.asked.target} --plan {plan.token}{' --again' if work.asked.again else ''}")
    return plan.token


def content(work: Work) -> str:
    """The digest of what is planned: of the records, whatever became of them by now. It is none of a job.

    With --again it is another: some may be created a second time then.
    """
    able = ReferenceSet()
    able.add(sorted(one.reference for one in work.candidates.values() if not one.lacks))
    what = "reinstate again" if work.asked.again else "reinstate"
    return hashlib.sha256(f"{what} {able.digest()}".encode()).hexdigest()


async def check_plan(work: Work, number: int, wanted: int) -> None:
    """Says who has planned what is to be approved, and who has approved it.

    Raises:
        PlanError: the plan is of something else, or of fewer than would be created now.
        ForbiddenError: who asks has planned it.
        UnknownPlanError: there is none, or it has expired.
    """
    token = (work.asked.plan or "").strip()
    async with session.ledger_of(work.settings) as there:
        plan = await plans.get(there.ledger, token)
        given = await reinstatements.approvals(there.ledger, work.account, token)
    expected = binding(work.account, work.own.environment.host, content(work))
    if (plan.account, plan.digest) != (work.account, expected):
        raise PlanError("it is of other consignments, of another account or host, with or without --again, or of a job")
    if number > plan.count:
        raise PlanError(f"it is of {plan.count} to be created, and {number} would be now: plan it anew")
    if work.by.lower() == (plan.made_by or "").lower() and len(given) < wanted:
        raise ForbiddenError(f"{work.by} has planned it, so another person must approve it", hint="ask one to do so")
    say(
        f"  planned by {plan.made_by}, approved by {', '.join(sorted(given)) or 'nobody yet'}; {wanted} must approve it"
    )


async def approved(work: Work, number: int, expected: int) -> Approvals | None:
    """Approves the plan that was given; returns the approvals, None where some are lacking.

    How many are needed is asked once more: a worker may have come meanwhile that asks for more than were expected.
    """
    token = (work.asked.plan or "").strip()
    async with session.ledger_of(work.settings) as there:
        wanted = max(expected, await _wanted(there.ledger, work, number))
        if not wanted:
            return Approvals()
        if not token:
            say("nothing was created: meanwhile the account asks for another person's approval; give the command again")
            return None
        async with recorded(there.ledger, work, "approved"):
            plan = await plans.get(there.ledger, token)
            given = await reinstatements.approvals(there.ledger, work.account, token, work.by)
    lacking = wanted - len(given)
    if lacking > 0:
        say(f"{work.by} approves it; nothing was created yet: {lacking} more must approve it by the same command")
    return None if lacking > 0 else Approvals(wanted, given, plan.made_by)


@asynccontextmanager
async def recorded(ledger: Ledger, work: Work, about: str) -> AsyncIterator[Act]:
    """Records what a block does, also where it is interrupted."""
    act = Act("reinstate", work.job, work.account, about)
    try:
        yield act
    except asyncio.CancelledError:
        await audit.record(ledger, act, "failed", "interrupted")
        raise
    except CancellistError as error:
        with contextlib.suppress(CancellistError):
            await audit.record(ledger, act, "refused", error.code)
        raise
    await audit.record(ledger, act)
