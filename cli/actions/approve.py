"""What `cancellist approve` and `cancellist reject` do."""

from cancellist.cli import session
from cancellist.cli.actions import identity
from cancellist.cli.actions.confirmation import typed
from cancellist.cli.actions.control import show_job
from cancellist.cli.actions.whereabouts import whereabouts
from cancellist.cli.error_report import DeclinedError, UnansweredError
from cancellist.cli.output import wording
from cancellist.cli.output.environment import Whereabouts, banner
from cancellist.cli.terminal import say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import JobStateError
from cancellist.jobs.ledger import approvals, drains, snapshots
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.safety.approval import ApprovalState, approval_of
from cancellist.jobs.safety.effect import effect, hosts_of


def approve(job: str, count: int | None, *, as_json: bool) -> None:
    """Shows what a job would do, asks for the number of its references, and approves it."""
    settings = load()
    by = identity.approver(settings, "an approval")
    seen, examples = session.run(_look(job))
    approval = approval_of(seen.record)
    if approval is None or approval.state is not ApprovalState.WAITING:
        raise JobStateError(job, seen.record.state, "approved: it waits for no approval")
    place = whereabouts(seen.record.order.account, seen.gate.platforms, settings)
    at = hosts_of(seen.record, place.environments)
    for line in effect(seen.record, approval, examples, at, wording.clock):
        say(line)
    if count is None:
        count = _asked(job, place)
    seen = session.run(_approve(job, by, count, approval.digest, settings))
    _tell(seen, by)
    show_job(seen, as_json=as_json)


def take_back(job: str, *, as_json: bool) -> None:
    """Takes an approval back."""
    settings = load()
    by = identity.approver(settings, "an approval")
    seen = session.run(_take_back(job, by, settings))
    say(f"{by} no longer approves job {job}")
    _tell(seen, None)
    show_job(seen, as_json=as_json)


def reject(job: str, reason: str, *, as_json: bool) -> None:
    """Rejects a job: it is aborted."""
    settings = load()
    by = identity.approver(settings, "a rejection")
    seen = session.run(_reject(job, by, reason))
    say(f"{by} has rejected job {job}: {wording.references(seen.record.settled)} aborted, never sent")
    show_job(seen, as_json=as_json)


def _asked(job: str, place: Whereabouts) -> int:
    """The number of references that is typed.

    Raises:
        UnansweredError: there is no terminal.
        DeclinedError: what is typed is no number.
    """
    answer = typed("Type the number of references to approve it, anything else to leave it", above=banner(place))
    if answer is None:
        raise UnansweredError(
            "nothing was approved: there is no terminal to ask on", "give the number of references with --count"
        )
    if not answer.replace(",", "").isdecimal():
        raise DeclinedError(f"nothing was approved: job {job} waits as before")
    return int(answer.replace(",", ""))


def _tell(seen: Snapshot, by: str | None) -> None:
    waiting = wording.waits_for_approval(seen)
    if by and not waiting:
        say(f"{by} has approved job {seen.record.id}; it has all that it needs")
    elif waiting:
        say(waiting)


async def _look(job: str) -> tuple[Snapshot, list[str]]:
    async with session.ledger_of(load()) as opened:
        seen = await snapshots.look(opened.ledger, job)
        return seen, await approvals.examples(opened.ledger, job)


async def _approve(job: str, by: str, count: int, digest: str, settings: Settings) -> Snapshot:
    async with session.ledger_of(settings) as opened:
        ledger = opened.ledger
        account = (await snapshots.look(ledger, job)).record.order.account
        per_call = settings.of(account).max_references_per_call
        names = await approvals.approve(ledger, job, by, count=count, digest=digest, per_call=per_call)
        return await _scheduled(ledger, job, account, names)


async def _take_back(job: str, by: str, settings: Settings) -> Snapshot:
    async with session.ledger_of(settings) as opened:
        ledger = opened.ledger
        account = (await snapshots.look(ledger, job)).record.order.account
        names = await approvals.take_back(ledger, job, by, settings.of(account).max_references_per_call)
        return await _scheduled(ledger, job, account, names)


async def _scheduled(ledger: Ledger, job: str, account: str, names: list[str]) -> Snapshot:
    await drains.schedule(ledger, account, names)
    return await snapshots.look(ledger, job)


async def _reject(job: str, by: str, reason: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        await approvals.reject(opened.ledger, job, by, reason)
        return await snapshots.look(opened.ledger, job)
