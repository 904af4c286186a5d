"""From a body to a job: the part of `POST /v1/jobs` that the facade shares."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from cancellist.api.context import Context
from cancellist.api.problems import ProblemError
from cancellist.api.request_body import Body, Declared
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import hosts
from cancellist.jobs.ledger.submitting import enqueue, uploads
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.ledger.submitting.enqueue import Submitted, Wanted
from cancellist.jobs.ledger.submitting.input_feed import Entries, Feed, Input
from cancellist.jobs.limits import Limit
from cancellist.jobs.option_names import PARAMETERS
from cancellist.jobs.parsing.documents import FORMS, Hints
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import InvalidEntry

_IN_MEMORY: Final = 50_000
_CACHE_KIB: Final = 16 * 1024
"""What one of many bodies may hold of its references in memory (ledger/submitting/deduplication.py): 21 MiB at most."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """References that are in memory, as an input."""

    document: bytes
    name: str = "the body"

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """All of it at once."""
        yield self.document


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A job that was handed in, and what there is to know of how its body was read."""

    submitted: Submitted
    notes: tuple[str, ...]


class BodyFeed(Feed):
    """The references of a body, which must have the form that it is said to have, and not too many entries."""

    def __init__(
        self, source: Input, *, hints: Hints, pattern: ReferencePattern, limit: Limit, declared: Declared, most: int
    ) -> None:
        few = Deduplicator(_IN_MEMORY, _CACHE_KIB)
        super().__init__([source], hints=hints, pattern=pattern, listed=0, limit=limit, deduplicator=few)
        self._declared = declared
        self._max_rows = most

    async def batches(self) -> AsyncGenerator[tuple[list[str], list[InvalidEntry]], None]:
        """Reads it, and judges it at its end.

        Raises:
            InputError: as `Feed.batches`; or it has another form.
            ProblemError: it has too many entries.
        """
        async with aclosing(super().batches()) as batches:
            async for batch in batches:
                self._look()
                yield batch
        self._look()

    def _look(self) -> None:
        for reading in self.readings:
            form = reading.reader.form
            if form is not None and form not in self._declared.forms:
                raise InputError(
                    f"the body is said to be {self._declared.called} and is {FORMS[form]}: "
                    "send the Content-Type that it has"
                )
            if reading.references + reading.invalid + reading.blank > self._max_rows:
                raise ProblemError("body_too_large", f"a body may have {self._max_rows:,} entries")


async def submit(
    context: Context, wanted: Wanted, source: Input, *, hints: Hints, limit: Limit, declared: Declared
) -> HandedIn:
    """Hands in what an input holds as one job; nothing of it can be seen before it has ended well.

    Raises:
        InputError: it cannot be used.
        IdempotencyConflictError: the key is bound to other content.
        LedgerError: the server does not take it.
        ProblemError: it is too large, or stops to come.
        ClientGoneError: it was cut.
        UploadUnderWayError: another submission has the key.
    """
    own, options = context.options.of(wanted.account), context.options
    feed = BodyFeed(
        source, hints=hints, pattern=own.pattern, limit=limit, declared=declared, most=options.limits.max_rows
    )
    with feed:
        submitted = await hand_in(context, wanted, feed, source)
        return HandedIn(submitted, tuple(note for one in feed.readings for note in one.reader.notes(PARAMETERS)))


async def hand_in(context: Context, wanted: Wanted, entries: Entries, source: Input | None) -> Submitted:
    """Hands in entries, which come from a source, as one job.

    Raises:
        InputError: as `submit`; and whatever `entries` raises.
        NewHostError: nobody has confirmed the account's host, and the request does not name it.
        LedgerError: as `submit`.
    """
    ledger = context.ledger
    async with uploads.under_way(ledger, wanted.account, wanted.idempotency_key) as upload:
        if upload and isinstance(source, Body):
            source.on_bytes = upload.renew
        request = enqueue.request_of(wanted, await ledger.now_ms())
        await hosts.check(ledger, wanted.account, wanted.host, wanted.submitted_by or "")
        own = context.options.of(wanted.account)
        submission = await enqueue.fill(ledger, request, entries, own.safeguards)
        return await enqueue.seal(
            ledger,
            submission,
            request,
            entries,
            idempotency_keep_s=context.options.idempotency_keep_s,
            per_call=own.configured.max_references_per_call,
        )
