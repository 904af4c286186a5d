"""What `cancellist enqueue` does."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from cancellist.cli import session
from cancellist.cli.actions import enqueue_report, input_file, submitter
from cancellist.cli.actions.exit_status import HALTED, exit_status
from cancellist.cli.actions.whereabouts import admit
from cancellist.cli.output import wording
from cancellist.cli.terminal import MESSAGES, emit, say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.diagnostics.advice import resume_command
from cancellist.jobs.errors import CountMismatchError, LedgerError, OutputError, SettingsError
from cancellist.jobs.ledger import snapshots
from cancellist.jobs.ledger.opening import Opened
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.ledger.submitting.enqueue import Submitted, Wanted
from cancellist.jobs.ledger.submitting.input_feed import Feed
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import JobState
from cancellist.jobs.parsing.documents import Hints
from cancellist.jobs.parsing.patterns import ReferencePattern


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a job, how to read them, and how many of their entries may be malformed."""

    paths: tuple[str, ...]
    hints: Hints
    max_invalid: str | None


def enqueue_files(files: Files, wanted: Wanted, *, rehearse: bool, wait: bool, as_json: bool) -> int:
    """Creates a job from files, or only checks them; returns the exit status."""
    settings = load()
    wanted = submitter.signed(wanted, settings)
    if wanted.account in settings.account_names:
        _check_key(settings, wanted.account)
    enqueue.check_form(wanted, time.time_ns() // 1_000_000)
    if rehearse:
        return session.run(_rehearse(files, wanted, settings, as_json=as_json))
    return session.run(_enqueue(files, wanted, settings, wait=wait, as_json=as_json))


def _check_key(settings: Settings, account: str) -> None:
    """Reports a missing key before the job is created, not only when a worker starts.

    Raises:
        SettingsError: the platform needs a key, and none is set.
    """
    try:
        settings.check_key(account)
    except SettingsError as error:
        raise SettingsError(
            f"{error}; or leave {settings.prefix(account)}API_URL unset here if only workers need it"
        ) from None


def _opened(files: Files, wanted: Wanted, settings: Settings) -> AbstractContextManager[Feed]:
    pattern = ReferencePattern(settings.of(wanted.account).reference_pattern)
    limit = parse_limit(files.max_invalid or settings.max_invalid)
    return input_file.opened(files.paths, hints=files.hints, pattern=pattern, limit=limit)


async def _rehearse(files: Files, wanted: Wanted, settings: Settings, *, as_json: bool) -> int:
    if wanted.account not in settings.account_names:
        async with session.ledger_of(settings) as opened:
            await session.check_account(opened.ledger, settings, wanted.account)
    with _opened(files, wanted, settings) as feed:
        request = enqueue.request_of(wanted, time.time_ns() // 1_000_000)
        own = settings.of(wanted.account)
        plan = await enqueue.dry_run(request, feed, per_call=own.max_references_per_call, platform=own.api_url)
        input_file.tell(feed)
        if wanted.expect_count not in {None, feed.valid}:
            raise CountMismatchError(wanted.expect_count or 0, feed.valid)
    if as_json:
        emit({**plan, "environment": own.environment.kind})
    else:
        from cancellist.cli.output import tables  # noqa: PLC0415 - rich is slow to import, and few hand in with a table

        tables.show_plan(plan, own.environment)
    return 0


async def _enqueue(files: Files, wanted: Wanted, settings: Settings, *, wait: bool, as_json: bool) -> int:
    with _opened(files, wanted, settings) as feed:
        async with session.ledger_of(settings) as opened:
            await session.check_account(opened.ledger, settings, wanted.account)
            host = await admit(opened.ledger, wanted.account, settings, wanted.host)
            request = enqueue.request_of(replace(wanted, host=host), await opened.ledger.now_ms())
            submitted = await enqueue_report.submit(opened.ledger, request, feed, settings)
            return await conclude(opened, submitted, wait=wait, as_json=as_json)


async def conclude(
    opened: Opened, submitted: Submitted, *, wait: bool, as_json: bool, before: str = enqueue_report.BY_KEY
) -> int:
    """Reports a job that was handed in, and waits for its end if that is wanted; returns the exit status.

    `before` says by what a job was found that had been handed in before.
    """
    _tell(submitted, before, wait=wait, as_json=as_json)
    await _hint(opened, submitted, wait=wait)
    return await _wait(opened, submitted, as_json=as_json) if wait else 0


def _tell(submitted: Submitted, before: str, *, wait: bool, as_json: bool) -> None:
    """Writes the job's id first of all: a user who does not see it might hand the file in again.

    Raises:
        OutputError: the id cannot be written. The text holds it.
    """
    try:
        if not as_json:
            sys.stdout.write(f"{submitted.job}\n")
            sys.stdout.flush()
        elif not wait:
            emit(submitted.document())
    except OutputError as error:
        mend = "do not hand it in again: `cancellist jobs` lists it"
        raise OutputError(f"job {submitted.job} was handed in, but {error.message}", hint=mend) from error
    enqueue_report.tell_submitted(submitted, before)
    MESSAGES.release()


async def _hint(opened: Opened, submitted: Submitted, *, wait: bool) -> None:
    """Says what keeps the job from running, and how to follow it. A failed read is no error: the job exists."""
    try:
        seen = await snapshots.look(opened.ledger, submitted.job)
    except LedgerError as error:
        say(f"job {submitted.job} is handed in, but its state cannot be read: {error}")
        return
    if seen.record.state.ended:
        return
    if waiting := wording.waits_for_approval(seen):
        say(waiting)
    elif seen.record.state is JobState.HELD and seen.record.hold_until_ms:
        left = wording.span(max(0, seen.record.starts_at_ms - seen.now_ms) // 1000)
        say(f"it is held for {left}: until then `cancellist abort {submitted.job}` takes it back whole")
    for line in _obstacles(seen):
        say(line)
    if not wait:
        say(f"to follow it: cancellist watch {submitted.job}")


def _obstacles(seen: Snapshot) -> Iterator[str]:
    """Says what else keeps a job from running."""
    account = seen.record.order.account
    if seen.gate.workers == 0:
        yield wording.START_A_WORKER
    if seen.gate.stopped:
        yield f"all accounts are stopped: {wording.all_stopped(seen.gate.stopped)}"
    if seen.gate.strange_host:
        yield wording.new_host(account, seen.gate.strange_host)
    if seen.lacks_records:
        yield f"job {seen.record.id} {wording.for_its_records(seen)}"
    if seen.gate.paused:
        yield f"account {account} is paused: `{resume_command(account)}` resumes it"


async def _wait(opened: Opened, submitted: Submitted, *, as_json: bool) -> int:
    """Waits until the job has ended. Ctrl-C stops only the waiting."""
    from cancellist.cli.output import progress_view, tables  # noqa: PLC0415 - as above

    try:
        with progress_view.view(err=True) as view:
            seen = await progress_view.follow(opened, submitted.job, view, halted=True)
    except asyncio.CancelledError:
        say(f"job {submitted.job} goes on: `cancellist watch {submitted.job}` shows it, `cancellist abort "
            f"{submitted.job}` stops it")  # fmt: skip
        if as_json:
            emit(submitted.document())
        raise
    tables.show_outcomes(seen)
    if as_json:
        emit(_whole_document(submitted, seen))
    if seen.record.state is JobState.HALTED:
        say(wording.halted(seen.record))
        return HALTED
    return exit_status(seen.outcomes)


def _whole_document(submitted: Submitted, seen: Snapshot) -> dict[str, object]:
    return {**submitted.document(), **json_views.job_view(seen)}
