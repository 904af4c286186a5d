"""What `cancellist plan` does."""

import getpass
import shlex
import time
from collections.abc import Iterator

from cancellist.cli import session
from cancellist.cli.actions import input_file
from cancellist.cli.actions.enqueue import Files
from cancellist.cli.actions.whereabouts import check_asked
from cancellist.cli.output.occasional import UPDATING, Occasional
from cancellist.cli.terminal import emit, say_now
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.plans import Plan
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from cancellist.jobs.ledger.submitting import enqueue
from cancellist.jobs.ledger.submitting.planning import Planning, Wanted
from cancellist.jobs.ledger.views.plan_views import plan_view
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.times import parse_when_ms
from cancellist.worker.accounts import client_of
from cancellist.worker.preflight.flight import fly


def plan_files(files: Files, account: str, deadline: str | None, *, as_json: bool) -> None:
    """Plans a job of files, and prints the report with the plan's token.

    Raises:
        InputError: a file cannot be used, or the account's platform cannot be asked.
        NotPermittedError: the account may make no call now, nor soon.
    """
    settings = load()
    if account not in settings.account_names:
        raise InputError(
            f"account {account!r} is not configured here, so its platform cannot be asked; "
            f"there are: {', '.join(settings.account_names)}"
        )
    settings.check_key(account)
    if deadline:
        parse_when_ms(deadline, now_ms=time.time_ns() // 1_000_000)
    plan = session.run(_plan(files, account, deadline, settings))
    if as_json:
        emit(plan_view(plan))
        return
    from cancellist.cli.output import plan_report  # noqa: PLC0415 - rich is slow to import

    where = settings.of(account).environment
    plan_report.show(plan_view(plan), where, " ".join(_enqueueing(files, account, deadline, plan.token)))


async def _plan(files: Files, account: str, deadline: str | None, settings: Settings) -> Plan:
    own = settings.of(account)
    pattern, limit = ReferencePattern(own.reference_pattern), parse_limit(files.max_invalid or settings.max_invalid)
    async with session.ledger_of(settings) as opened:
        ledger, now_ms = opened.ledger, await opened.ledger.now_ms()
        await check_asked(ledger, account, settings)
        deadline_ms = enqueue.deadline_ms(deadline, None, now_ms) if deadline else None
        wanted = Wanted(account, own.environment.host, own.plan_read_all, deadline_ms, _user())
        index = ReferenceIndex(ledger, settings.data_dir, jobs_keep_s=settings.jobs_keep, on_wait=say_now)
        try:
            with input_file.opened(files.paths, hints=files.hints, pattern=pattern, limit=limit) as feed:
                taken = await Planning(ledger, index, Occasional(UPDATING)).take_in(feed, wanted)
                input_file.tell(feed)
        finally:
            await index.close()
        async with client_of(settings, account) as client:
            found = await fly(ledger, settings, account, client, taken.request)
        return await plans.keep(ledger, taken.draft, found, keep_s=own.plan_keep)


def _user() -> str | None:
    """Who runs the command; None where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


def _enqueueing(files: Files, account: str, deadline: str | None, token: str) -> Iterator[str]:
    """The words of the command that enqueues what was planned."""
    yield "cancellist enqueue"
    yield from map(shlex.quote, files.paths)
    hints = files.hints
    given = {
        "--column": hints.column, "--delimiter": hints.delimiter, "--skip-lines": hints.skip_lines or None,
        "--max-invalid": files.max_invalid, "--deadline": deadline,
        "--account": account if account != DEFAULT_ACCOUNT else None,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None:
            yield f"{name} {shlex.quote(str(value))}"
    if not hints.header:
        yield "--no-header"
    yield f"--plan {token}"
