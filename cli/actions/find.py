"""What `cancellist find` does."""

from typing import TYPE_CHECKING

from cancellist.cli import session
from cancellist.cli.output import wording
from cancellist.cli.output.occasional import UPDATING, Occasional
from cancellist.cli.terminal import cell, emit, fitting, heading, say, say_now, show
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger.references.mentions import Mention, Mentions
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from cancellist.jobs.ledger.views.reference_views import references_view
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import checked

if TYPE_CHECKING:
    from rich.text import Text

_COLUMNS = ("job", "state", "created", "requested by", "reason", "outcome", "at", "message")
_LEFT_OUT = ("reason", "created", "requested by", "at", "state", "message")
_LEAST_WRAPPED = 24


def show_jobs_of(named: str, limit: int, *, as_json: bool) -> None:
    """Prints the jobs that named a reference.

    Raises:
        InputError: the text is no reference.
    """
    settings = load()
    reference = _reference(named, settings)
    answer = session.run(_look(settings, reference, limit))
    if as_json:
        emit(references_view(reference, answer))
    elif answer.mentions:
        _draw(answer)
    else:
        say(f"no job that is known named {reference}")
    _say_what_is_missing(answer, limit)


def _reference(named: str, settings: Settings) -> str:
    patterns = [settings.reference_pattern, *(settings.of(name).reference_pattern for name in settings.account_names)]
    found = checked(named, [ReferencePattern(pattern) for pattern in dict.fromkeys(patterns)])
    if found is None:
        raise InputError(f"{named!r} is not a reference", hint=f"references look like {settings.reference_pattern}")
    return found


async def _look(settings: Settings, reference: str, limit: int) -> Mentions:
    async with session.ledger_of(settings) as opened:
        index = ReferenceIndex(opened.ledger, settings.data_dir, jobs_keep_s=settings.jobs_keep, on_wait=say_now)
        try:
            return await index.find(reference, before=None, limit=limit, progress=Occasional(UPDATING))
        finally:
            await index.close()


def _draw(answer: Mentions) -> None:
    rows = [_row(one) for one in answer.mentions]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {"message": _LEAST_WRAPPED})
    table = heading(*(_COLUMNS[place] for place in kept), wrapped=["message"])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table)


def _row(one: Mention) -> tuple["Text", ...]:
    job, result = one.job, one.result
    return (
        cell(one.id, "bold"),
        cell(job.state if job else "", wording.state_style(job.state) if job else ""),
        cell(wording.clock(job.created_at_ms)[:19] if job else ""),
        cell((job.order.requested_by if job else "") or ""),
        cell((job.order.reason if job else "") or ""),
        cell(result.outcome, wording.outcome_style(result.outcome)) if result else cell("no result yet"),
        cell(wording.clock(result.at_ms)[:19] if result else ""),
        cell((result.message if result else "") or ""),
    )


def _say_what_is_missing(answer: Mentions, limit: int) -> None:
    if answer.next:
        say(f"only the newest {wording.count(limit)} are listed: --limit lists more")
    if answer.gap:
        since = wording.clock(answer.gap.from_ms) if answer.gap.from_ms is not None else "the beginning"
        say(
            f"jobs may be missing: results from {since} to {wording.clock(answer.gap.to_ms)} were trimmed before they "
            "were read; `cancellist serve` reads them as they come"
        )
    if answer.unsearched:
        named = ", ".join(answer.unsearched[:5])
        say(f"jobs may be missing: {wording.count(len(answer.unsearched))} are too large to look through now: {named}")
