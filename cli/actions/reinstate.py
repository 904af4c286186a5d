"""What `cancellist reinstate` does: looks, shows, asks, and creates."""

import asyncio
import contextlib
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from cancellist.cli import session
from cancellist.cli.actions import identity
from cancellist.cli.actions.confirmation import typed
from cancellist.cli.actions.exit_status import HALTED
from cancellist.cli.actions.snapshots import folder_and_cipher
from cancellist.cli.actions.whereabouts import admit, check_asked
from cancellist.cli.error_report import DeclinedError, UnansweredError
from cancellist.cli.output import destination, reinstate_report, wording
from cancellist.cli.output.environment import Whereabouts, banner
from cancellist.cli.terminal import emit, say, say_now
from cancellist.config.account_settings import AccountSettings
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import (
    CancellistError,
    CountMismatchError,
    ForbiddenError,
    InputError,
    JobStateError,
    PlanError,
    SettingsError,
    UnknownJobError,
)
from cancellist.jobs.ledger import audit, permits, plans, records, reinstatements, results
from cancellist.jobs.ledger.audit import Act
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.model import Outcome
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.safety.reference_set import ReferenceSet, binding
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement
from cancellist.worker.accounts import client_of, terms_of
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.reinstating.candidates import Candidate, Kept, Snapshots
from cancellist.worker.reinstating.creator import Place
from cancellist.worker.reinstating.journal import Journal
from cancellist.worker.reinstating.marker_search import MarkerSearch
from cancellist.worker.reinstating.run import Run
from cancellist.worker.reinstating.survey import Survey, Surveyor

_READS_AT_ONCE: Final = 8
_TELL_EVERY_S: Final = 2.0
_SHOWN: Final = 20
_MINE: Final = frozenset({Outcome.CANCELLED, Outcome.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; as the command's options."""

    target: str
    dry_run: bool = False
    count: int | None = None
    host: str | None = None
    plan: str | None = field(default=None, repr=False)
    again: bool = False
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What it is done with.

    Attributes:
        job: the job whose consignments are wanted; empty where one reference is.
        by: who does it; empty where nothing is to be created.
    """

    settings: Settings
    asked: Asked
    snapshots: Snapshots
    candidates: Mapping[str, Candidate]
    job: str
    account: str
    by: str
    run: str

    @property
    def own(self) -> AccountSettings:
        """The account's settings."""
        return self.settings.of(self.account)

    @property
    def place(self) -> Whereabouts:
        """Where consignments are created."""
        return Whereabouts(self.account, (self.own.environment,))

    @property
    def content(self) -> str:
        """The digest of what is planned: of the records, whatever became of them by now. It is none of a job."""
        able = ReferenceSet()
        able.add(sorted(one.reference for one in self.candidates.values() if not one.lacks))
        return hashlib.sha256(f"reinstate {able.digest()}".encode()).hexdigest()


def reinstate(asked: Asked, *, as_json: bool) -> int:
    """Creates consignments anew; returns the exit status.

    Raises:
        SettingsError: it is off.
        ForbiddenError: who asks may not do it.
        InputError: there is no record, or it cannot be used.
    """
    settings = load()
    _check_on(settings, settings.account_names)
    by = "" if asked.dry_run else identity.approver(settings, "a reinstatement")
    work = _work(settings, asked, by)
    survey, missing = session.run(_look(work))
    _show(work, survey, missing)
    untouched = [*survey.fates.values(), *missing]
    if asked.dry_run or not survey.to_create:
        return _conclude(work, "planned" if asked.dry_run else "done", survey, [], untouched, as_json=as_json)
    wanted = approvals_wanted(work.own, len(survey.to_create))
    if wanted and asked.plan is None:
        token = session.run(_plan(work, len(survey.to_create)))
        _say_waiting(work, wanted, token)
        return _conclude(work, "waiting", survey, [], untouched, as_json=as_json, plan=token)
    given = _asked(work, len(survey.to_create))
    if wanted and not session.run(_approved(work, wanted)):
        return _conclude(work, "waiting", survey, [], untouched, as_json=as_json)
    run = session.run(_make(work, survey, given))
    if run.halted:
        say(f"stopped: {run.halted}")
    if run.note:
        say(run.note)
    done = [run.done.get(one, Reinstatement(one, Fate.PENDING)) for one in survey.to_create]
    return _conclude(work, "halted" if run.halted else "done", survey, done, untouched, as_json=as_json)


def approvals_wanted(own: AccountSettings, number: int) -> int:
    """How many other persons must approve that so many are created, by what the account asks for jobs."""
    if own.approve_above is None and own.approvals_required is None:
        return 0
    return (own.approvals_required or 1) if number > (own.approve_above or 0) else 0


def _check_on(settings: Settings, accounts: Sequence[str]) -> None:
    if not any(settings.of(account).reinstate for account in accounts):
        name = f"{settings.prefix(accounts[0])}REINSTATE" if len(accounts) == 1 else "CANCELLIST_REINSTATE"
        raise SettingsError(
            f"{name} is off, so no consignment is created anew",
            hint="it creates consignments that cost money: set it to true where that is wanted",
        )


def _work(settings: Settings, asked: Asked, by: str) -> Work:
    """Finds the records that are wanted.

    Raises:
        InputError: there is none, or a file of them cannot be read whole.
        SettingsError: their account may create none.
    """
    folder, cipher = folder_and_cipher(settings)
    snapshots = Snapshots(folder, cipher, time.time_ns() // 1_000_000)
    jobs = snapshots.jobs()
    is_job = asked.target in jobs
    kept = snapshots.look([asked.target]) if is_job else snapshots.look(jobs, normalise(asked.target))
    _check_files(kept, is_job=is_job)
    if not kept.candidates:
        raise InputError(
            f"no record is kept here for {asked.target!r}, as a job or as a reference",
            hint="workers may keep it on other machines, its job may have had no --snapshot, or SNAPSHOT_KEEP has "
            "passed",
        )
    account = next(iter(kept.candidates.values())).account
    if account not in settings.account_names:
        raise InputError(f"the records are of account {account!r}, which is not configured here")
    _check_on(settings, [account])
    settings.check_key(account)
    job = asked.target if is_job else ""
    return Work(settings, asked, snapshots, kept.candidates, job, account, by, reinstatements.new_attempt())


def _check_files(kept: Kept, *, is_job: bool) -> None:
    wrong = kept.damaged
    if not wrong:
        return
    others = f", and {len(wrong) - 1} more files" if len(wrong) > 1 else ""
    told = f"{wrong[0].name} cannot be read whole ({wrong[0].why}){others}"
    if is_job or not kept.candidates:
        raise InputError(
            f"{told}; nothing was created", hint="what can be read is reinstated by its reference, one by one"
        )
    say(told)


@asynccontextmanager
async def _opened(work: Work) -> AsyncIterator[Place]:
    settings, account, own = work.settings, work.account, work.own
    async with session.ledger_of(settings) as opened, client_of(settings, account) as client:
        yield _place(work, opened.ledger, client, own)


def _place(work: Work, ledger: Ledger, client: PlatformClient, own: AccountSettings) -> Place:
    terms = terms_of(work.settings, work.account)
    permit = partial(permits.permitted, ledger, work.account, terms, keep_s=own.call_timeout + 1)
    pattern = ReferencePattern(own.reference_pattern)
    folder, _ = folder_and_cipher(work.settings)
    about = {"host": own.environment.host, "run": work.run, "by": work.by}
    return Place(
        ledger, client, permit, Journal(folder, work.account, about), MarkerSearch(client, pattern, permit), pattern,
        work.account, work.run, lease_ms=round((own.call_timeout + 5) * 2000),
    )  # fmt: skip


async def _look(work: Work) -> tuple[Survey, list[Reinstatement]]:
    async with _opened(work) as place:
        await check_asked(place.ledger, work.account, work.settings)
        missing = await _without_record(place.ledger, work) if work.job else []
        if not work.asked.dry_run:
            place.journal.check()
        host = work.own.environment.host
        surveyor = Surveyor(place, host, again=work.asked.again, rehearse=work.asked.dry_run)
        at_once = min(_READS_AT_ONCE, work.own.max_concurrent_calls)
        return await surveyor.look(work.candidates, at_once=at_once), missing


async def _without_record(ledger: Ledger, work: Work) -> list[Reinstatement]:
    """What the job has cancelled, by its results that are still there, and of which this machine has no record.

    Raises:
        JobStateError: the job has not ended.
    """
    try:
        record = await records.get(ledger, work.job)
    except UnknownJobError:  # it was trimmed, or is of another server
        return []
    if not record.state.ended:
        raise JobStateError(
            work.job, record.state, "reinstated before it has ended", hint="abort it, or wait for its end"
        )
    return [
        Reinstatement(one.reference, Fate.NO_RECORD)
        async for _, page in results.of_job(ledger, work.job)
        for one in page
        if one.outcome in _MINE and one.reference not in work.candidates
    ]


def _show(work: Work, survey: Survey, missing: list[Reinstatement]) -> None:
    """Shows on standard error what would be created: standard output is for what was."""
    wanted = [(one, work.candidates[one].who) for one in survey.to_create]
    target = f"job {work.job}" if work.job else work.asked.target
    fates = [*survey.fates.values(), *missing]
    again = len(survey.given_up)
    for line in reinstate_report.plan(target, work.place, wanted, fates, _notes(work, survey), again):
        say(line)


def _notes(work: Work, survey: Survey) -> Iterator[str]:
    chosen = [work.candidates[one] for one in survey.to_create]
    passed = Counter(name for one in chosen for name in one.passed)
    left_out = Counter(name for one in chosen for name in one.left_out)
    for counts, words in ((passed, "left out since it has passed"), (left_out, "not taken along")):
        if counts:
            yield f"{words}: {', '.join(f'{name} of {wording.count(n)}' for name, n in counts.most_common(_SHOWN))}"


def _asked(work: Work, number: int) -> str:
    """Has a person type the number and the host; returns the host as it was given.

    Raises:
        UnansweredError: there is no terminal to ask on.
        DeclinedError: what is typed is something else.
    """
    asked, host = work.asked, work.own.environment.host
    count = asked.count if asked.count is not None else _number(work)
    if count != number:
        raise CountMismatchError(count, number)
    given = asked.host if asked.host is not None else typed("Type the name of the host to create them there")
    if given is None:
        raise _unanswered()
    if given.strip().lower() != host:
        if asked.host is None:
            raise DeclinedError("nothing was created: that is not the name of the host", hint=f"it is {host}")
        raise InputError(f"nothing was created: --host is {asked.host!r}, and account {work.account} calls {host}")
    return given


def _number(work: Work) -> int:
    answer = typed("Type the number of consignments to create, anything else to leave it", above=banner(work.place))
    if answer is None:
        raise _unanswered()
    if not answer.replace(",", "").isdecimal():
        raise DeclinedError("nothing was created", hint="give the command again to see it once more")
    return int(answer.replace(",", ""))


def _unanswered() -> UnansweredError:
    return UnansweredError(
        "nothing was created: there is no terminal to ask on", "give the number with --count and the host with --host"
    )


async def _plan(work: Work, number: int) -> str:
    """Keeps what is planned, so that another person can approve it; returns its token."""
    draft = Draft(work.account, work.content, number, work.own.environment.host, work.by)
    async with session.ledger_of(work.settings) as opened, _recorded(opened.ledger, work, "planned") as act:
        act.about = f"planned count={number}"
        plan = await plans.keep(opened.ledger, draft, {"reinstate": work.asked.target}, keep_s=work.own.plan_keep)
    return plan.token


def _say_waiting(work: Work, wanted: int, token: str) -> None:
    others = "another person" if wanted == 1 else f"{wanted} other persons"
    say(f"nothing was created: {others} with the role approve must look at it and approve it, within")
    say(f"{wording.span(work.own.plan_keep)}, each by their own CANCELLIST_TOKEN:")
    say(f"  cancellist reinstate {work.asked.target} --plan {token}")


async def _approved(work: Work, wanted: int) -> bool:
    """Approves the plan that was given; returns whether it has all approvals that it needs.

    Raises:
        PlanError: the plan is of something else.
        ForbiddenError: who asks has planned it.
        UnknownPlanError: there is none, or it has expired.
    """
    token = (work.asked.plan or "").strip()
    async with session.ledger_of(work.settings) as opened, _recorded(opened.ledger, work, "approved"):
        plan = await plans.get(opened.ledger, token)
        expected = binding(work.account, work.own.environment.host, work.content)
        if (plan.account, plan.digest) != (work.account, expected):
            raise PlanError("it is of other consignments, of another account or host, or of a job")
        given = await reinstatements.approvals(opened.ledger, work.account, token, work.by)
    if work.by == plan.made_by and len(given) < wanted:
        raise ForbiddenError(f"{work.by} has planned it, so another person must approve it", hint="ask one to do so")
    lacking = wanted - len(given)
    if lacking > 0:
        say(f"{work.by} approves it; nothing was created yet: {lacking} more must approve it by the same command")
    return lacking <= 0


async def _make(work: Work, survey: Survey, host: str) -> Run:
    chosen = {one: work.candidates[one] for one in survey.to_create}
    tasks = work.snapshots.tasks(chosen, survey.given_up)
    async with _opened(work) as place:
        await admit(place.ledger, work.account, work.settings, host)
        run = Run(place, work.own.max_concurrent_calls, _Progress(len(chosen)).tell)
        await audit.record(place.ledger, Act("reinstate", work.job, work.account, f"begins {_counted(run, chosen)}"))
        async with _recorded(place.ledger, work, "") as act:
            try:
                await run.make(tasks)
            except asyncio.CancelledError:
                say_now(f"interrupted: {_made(run)} of {len(chosen)} created; give the command again to go on")
                raise
            finally:
                act.about = f"ends {_counted(run, chosen)}"
        return run


@asynccontextmanager
async def _recorded(ledger: Ledger, work: Work, about: str) -> AsyncIterator[Act]:
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


def _counted(run: Run, chosen: Mapping[str, Candidate]) -> str:
    counts = Counter(one.fate for one in run.done.values())
    return " ".join([f"run={run.place.run}", f"count={len(chosen)}", *(f"{fate}={n}" for fate, n in counts.items())])


def _made(run: Run) -> int:
    return sum(one.fate is Fate.CREATED for one in run.done.values())


class _Progress:
    """Says now and then how far it is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._told = 0
        self._at_s = time.monotonic()

    def tell(self) -> None:
        self._told += 1
        now_s = time.monotonic()
        if now_s - self._at_s >= _TELL_EVERY_S:
            self._at_s = now_s
            say_now(f"{wording.count(min(self._told, self._total))} of {wording.count(self._total)} done")


def _conclude(
    work: Work, state: str, survey: Survey, done: list[Reinstatement], untouched: list[Reinstatement], *,
    as_json: bool, plan: str | None = None,
) -> int:  # fmt: skip
    """Says and writes what came of it; returns the exit status."""
    folder, _ = folder_and_cipher(work.settings)
    file = str(Journal(folder, work.account, {}).path)
    rows = [*done, *untouched]
    if done:
        for line in reinstate_report.ended(done, untouched, file):
            say(line)
    if work.asked.output:
        asyncio.run(_write(work.asked.output, reinstate_report.table(rows)))
    if as_json:
        emit({
            "target": work.asked.target, "job": work.job or None, "account": work.account,
            "platform": work.own.environment.host, "environment": work.own.environment.kind, "state": state,
            "plan": plan, "to_create": len(survey.to_create),
            "created": sum(one.fate is Fate.CREATED for one in done), "file": file,
            "results": [dict(reinstate_report.view(one)) for one in rows],
        })  # fmt: skip
    elif work.asked.output != destination.STANDARD:
        sys.stdout.writelines(f"{one.reference} {one.new}\n" for one in rows if one.new)
    if state in {"halted", "waiting"}:
        return HALTED
    return 0 if work.asked.dry_run else reinstate_report.exit_status(rows)


async def _write(output: str, text: bytes) -> None:
    before = os.umask(0o077)
    try:
        async with destination.opened(output) as sink:
            await sink.write(text)
    finally:
        os.umask(before)
