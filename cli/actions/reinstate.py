"""What `cancellist reinstate` does: looks, shows, asks, and creates."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from cancellist.cli import session
from cancellist.cli.actions import identity
from cancellist.cli.actions import reinstate_work as works
from cancellist.cli.actions.confirmation import typed
from cancellist.cli.actions.exit_status import HALTED
from cancellist.cli.actions.receipt import signer_of
from cancellist.cli.actions.reinstate_approval import approvals_wanted, approved, check_plan, planned, recorded
from cancellist.cli.actions.reinstate_receipt import Papers
from cancellist.cli.actions.reinstate_work import Asked, Work
from cancellist.cli.actions.whereabouts import admit
from cancellist.cli.error_report import DeclinedError, UnansweredError
from cancellist.cli.output import destination, reinstate_report, wording
from cancellist.cli.output.environment import banner
from cancellist.cli.terminal import emit, say, say_now
from cancellist.config.loading import load
from cancellist.jobs.errors import CancellistError, InputError
from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.audit import Act
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement
from cancellist.worker.reinstating.candidates import Candidate
from cancellist.worker.reinstating.run import Run
from cancellist.worker.reinstating.survey import Survey

__all__ = ["Asked", "reinstate"]

_TELL_EVERY_S: Final = 2.0
_SHOWN: Final = 20


def reinstate(asked: Asked, *, as_json: bool) -> int:
    """Creates consignments anew; returns the exit status.

    Raises:
        SettingsError: it is off.
        ForbiddenError: who asks may not do it.
        InputError: there is no record, or it cannot be used.
    """
    settings = load()
    works.check_on(settings, settings.account_names)
    by = "" if asked.dry_run else identity.approver(settings, "a reinstatement")
    work = works.found(settings, asked, by)
    survey, missing = session.run(works.look(work))
    _show(work, survey, missing)
    untouched = [*survey.fates.values(), *missing]
    if asked.dry_run or not survey.to_create:
        return _conclude(work, "planned" if asked.dry_run else "done", survey, [], untouched, as_json=as_json)
    signer, number = signer_of(settings), len(survey.to_create)
    wanted = session.run(approvals_wanted(work, number))
    if wanted and asked.plan is None:
        token = session.run(planned(work, number, wanted))
        return _conclude(work, "waiting", survey, [], untouched, as_json=as_json, plan=token)
    if wanted:
        session.run(check_plan(work, number, wanted))
    host = _asked(work, number)
    approvals = session.run(approved(work, number, wanted))
    if approvals is None:
        return _conclude(work, "waiting", survey, [], untouched, as_json=as_json)
    papers = Papers(work, approvals, signer)
    run = session.run(_make(work, survey, host, papers))
    if run.halted:
        say(f"stopped: {run.halted}")
    if run.note:
        say(run.note)
    done = [run.done.get(one, Reinstatement(one, Fate.PENDING)) for one in survey.to_create]
    state = "halted" if run.halted else "done"
    return _conclude(work, state, survey, done, untouched, as_json=as_json, receipt=str(papers.path))


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
        told = f"--count is {count}" if asked.count is not None else f"{count} was typed"
        raise InputError(f"nothing was created: {told}, and {number} would be created now", hint="look at it once more")
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


async def _make(work: Work, survey: Survey, host: str, papers: Papers) -> Run:
    chosen = {one: work.candidates[one] for one in survey.to_create}
    tasks = work.snapshots.tasks(chosen, survey.given_up)
    async with works.opened(work) as place:
        await admit(place.ledger, work.account, work.settings, host)
        run = Run(place, work.own.max_concurrent_calls, _Progress(len(chosen)).tell)
        await audit.record(place.ledger, Act("reinstate", work.job, work.account, f"begins {_counted(run, chosen)}"))
        papers.begin()
        async with recorded(place.ledger, work, "") as act:
            try:
                await run.make(tasks)
            except (asyncio.CancelledError, CancellistError) as error:
                say_now(f"it was stopped: {_made(run)} of {len(chosen)} created; give the command again to go on")
                run.halted = run.halted or str(error) or "interrupted"
                raise
            finally:
                act.about = f"ends {_counted(run, chosen)}"
                digest = papers.write(run, survey.to_create)
                act.about = f"ends receipt={digest} {_counted(run, chosen)}"
        return run


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
    as_json: bool, plan: str | None = None, receipt: str | None = None,
) -> int:  # fmt: skip
    """Says and writes what came of it; returns the exit status."""
    file = str(work.journal().path)
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
            "created": sum(one.fate is Fate.CREATED for one in done), "file": file, "receipt": receipt,
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
