"""What `cancellist enqueue --where` does: finds references by filters, shows them, asks, and makes a job of them."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from cancellist.cli import session
from cancellist.cli.actions import enqueue, enqueue_report, submitter
from cancellist.cli.actions.confirmation import agreed
from cancellist.cli.actions.whereabouts import admit, check_asked, whereabouts
from cancellist.cli.error_report import DeclinedError
from cancellist.cli.output import wording
from cancellist.cli.output.environment import Whereabouts, banner
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError, NoReferencesError
from cancellist.jobs.ledger import hosts, permits
from cancellist.jobs.ledger.submitting import enqueue as handing_in
from cancellist.jobs.ledger.submitting.enqueue import Wanted
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.search import sampled
from cancellist.jobs.responses.search_filters import Filter, parse_filters
from cancellist.worker.accounts import client_of, terms_of
from cancellist.worker.platform.finding import Finder

SAMPLE: Final = 20
_BATCH: Final = 2_000


@dataclass(frozen=True, slots=True)
class FoundReferences:
    """References that were found: each once, none malformed."""

    references: tuple[str, ...]
    duplicates: int = field(default=0, init=False)
    invalid: int = field(default=0, init=False)
    blank: int = field(default=0, init=False)

    @property
    def total(self) -> int:
        """What will get a result."""
        return len(self.references)

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """The references, in the platform's order."""
        for start in range(0, len(self.references), _BATCH):
            yield list(self.references[start : start + _BATCH]), []


def enqueue_where(
    texts: Sequence[str], wanted: Wanted, *, sure: bool, rehearse: bool, wait: bool, as_json: bool
) -> int:
    """Finds references by filters and creates a job of them, or only shows them; returns the exit status.

    Raises:
        InputError: a filter is wrong, or nothing matches.
        SearchError: the platform's answer cannot be relied upon.
        DeclinedError: the user did not confirm.
    """
    settings = load()
    wanted = submitter.signed(wanted, settings)
    filters = parse_filters(texts)
    if wanted.account not in settings.account_names:
        raise InputError(
            f"account {wanted.account!r} is not configured here, so its platform cannot be asked; "
            f"there are: {', '.join(settings.account_names)}"
        )
    settings.check_key(wanted.account)
    handing_in.check_form(wanted, time.time_ns() // 1_000_000)
    found, place = session.run(_find(filters, wanted, settings))
    shown = _document(found, filters, wanted, settings)
    if rehearse and as_json:
        emit(shown)
        return 0
    _show(shown)
    if rehearse:
        return 0
    question = f"Cancel {wording.references(found.total)} of account {wanted.account}?"
    if not sure and not agreed(question, above=banner(place)):
        raise DeclinedError("nothing was enqueued")
    return session.run(_enqueue(found, wanted, settings, wait=wait, as_json=as_json))


async def _find(filters: Sequence[Filter], wanted: Wanted, settings: Settings) -> tuple[FoundReferences, Whereabouts]:
    own = settings.of(wanted.account)
    async with session.ledger_of(settings) as opened, client_of(settings, wanted.account) as client:
        await check_asked(opened.ledger, wanted.account, settings)
        handing_in.request_of(wanted, await opened.ledger.now_ms())
        permit = partial(
            permits.permitted,
            opened.ledger,
            wanted.account,
            terms_of(settings, wanted.account),
            keep_s=own.call_timeout + 1,
        )
        references = await Finder(client, ReferencePattern(own.reference_pattern), permit).find(filters)
        called = await hosts.called(opened.ledger, wanted.account)
    if not references:
        told = ", ".join(map(str, filters))
        raise NoReferencesError(
            f"no consignment of account {wanted.account} matches {told}: no job was created",
            hint="check the values: the platform answers so to a value it does not know, too",
        )
    return FoundReferences(references), whereabouts(wanted.account, called, settings)


async def _enqueue(found: FoundReferences, wanted: Wanted, settings: Settings, *, wait: bool, as_json: bool) -> int:
    own = settings.of(wanted.account)
    async with session.ledger_of(settings) as opened:
        host = await admit(opened.ledger, wanted.account, settings, wanted.host)
        request = handing_in.request_of(replace(wanted, host=host), await opened.ledger.now_ms())
        submission = await handing_in.fill(opened.ledger, request, found, own.safeguards)
        submitted = await handing_in.seal(
            opened.ledger, submission, request, found, idempotency_keep_s=settings.idempotency_keep,
            per_call=own.max_references_per_call,
        )  # fmt: skip
        enqueue_report.tell_untold(submitted)
        return await enqueue.conclude(opened, submitted, wait=wait, as_json=as_json)


def _document(found: FoundReferences, filters: Sequence[Filter], wanted: Wanted, settings: Settings) -> dict[str, Any]:
    own = settings.of(wanted.account)
    return {
        "dry_run": True,
        "job": None,
        "account": wanted.account,
        "platform": own.api_url,
        "environment": own.environment.kind,
        "filters": {one.name: one.value for one in filters},
        "total": found.total,
        "calls": -(-found.total // own.max_references_per_call),
        "sample": sampled(found.references, SAMPLE),
    }


def _show(shown: dict[str, Any]) -> None:
    """Shows what was found, on standard error: standard output is for the job's id."""
    filters = ", ".join(f"{name}={value}" for name, value in shown["filters"].items())
    say(f"account {shown['account']} at {shown['platform']}: {wording.references(shown['total'])} match {filters}")
    if "State" not in shown["filters"]:
        say("note: no State is asked for; the platform refuses those that are past cancelling, one by one")
    say("all of them:" if len(shown["sample"]) == shown["total"] else f"{len(shown['sample'])} of them:")
    for reference in shown["sample"]:
        say(f"  {reference}")
