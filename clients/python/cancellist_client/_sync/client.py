# Made by scripts/generate_sync.py from _async/client.py: change that one, and run the script.

"""The client: hands jobs in, finds them, and reads results."""

import os
import socket
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import httpx

from cancellist_client import sources
from cancellist_client._sync.consumer import Consumer
from cancellist_client._sync.http import HttpTransport
from cancellist_client._sync.job import Job
from cancellist_client._sync.transport import Transport
from cancellist_client.addresses import HTTP_SCHEMES, split
from cancellist_client.errors import UnsupportedError, wrong
from cancellist_client.intake import reply_name
from cancellist_client.models import JobStatus, Mentions
from cancellist_client.options import When, options
from cancellist_client.retrying import Backoff
from cancellist_client.sources import Readable

TIMEOUT_S: Final = 30.0
RETRIES: Final = 5
_TAKE_OVER_S: Final = 60.0
_BATCH: Final = 100


class Client:
    """Speaks to cancellist, by HTTP (`https://...`) or by Redis streams (`redis://...`, `rediss://...`, `unix://...`).

    What one way cannot do raises UnsupportedError, which says which can. Use it as a context manager, or call
    `close()`.

    Args:
        url: where `cancellist serve` listens, or the Redis server.
        token: a token of `cancellist token`, for HTTP.
        timeout: seconds without a sign of life after which an answer is given up.
        retries: how often a request is sent again where that may help.
        namespace: the prefix of the keys in Redis.
        reply_to: the name under which workers answer what is handed in by Redis, so that `Job.identify` can tell its
            id; by default one of this machine, and with "" none is answered.
        http: an HTTP client with proxies or certificates of its own; whoever made it closes it.
        transport: another way in, in place of that of the address; for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
        namespace: str = "cancellist",
        reply_to: str | None = None,
        http: httpx.Client | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._backoff = Backoff(retries)
        self._transport = transport or _transport(url, token, timeout, self._backoff, namespace, reply_to, http)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._transport.shown}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives up its connections."""
        self._transport.close()

    def submit(
        self,
        references: Iterable[str] | os.PathLike[str] | Readable,
        *,
        reason: str | None = None,
        requested_by: str | None = None,
        priority: str | None = None,
        deadline: When | None = None,
        start_at: When | None = None,
        account: str | None = None,
        idempotency_key: str | None = None,
        hold: str | timedelta | None = None,
        max_refused: str | int | None = None,
        max_unconfirmed: str | int | None = None,
        canary: int | None = None,
        snapshot: bool = False,
        override: str | None = None,
        host: str | None = None,
        plan: str | None = None,
        expect_count: int | None = None,
        max_invalid: str | int | None = None,
        content_type: str | None = None,
        column: str | int | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        skip_lines: int | None = None,
    ) -> Job:
        """Hands in a job, whole or not at all; when this has returned, the job is stored.

        The request is sent again where no answer came, with the same idempotency key: that makes one job.

        Args:
            references: references, or a path or open file that holds them. What can be read but once is copied to a
                temporary file first.
            reason: kept with the job.
            requested_by: who wants it; by HTTP the token's name where none is given.
            priority: `urgent`, `normal` or `bulk`.
            deadline: what no call has taken by then becomes `expired`.
            start_at: the job is held until then.
            account: which platform subscription.
            idempotency_key: the same key with the same content is the same job, for days; None draws one for this call.
            hold: how long the job waits before it starts, such as `5m`, so that it can be taken back.
            max_refused: refused references, as a number or a share such as `5%`, above which the job halts.
            max_unconfirmed: unconfirmed and failed references, likewise.
            canary: how many references are cancelled and read back before the rest.
            snapshot: whether the platform's record of each reference is kept before its call.
            override: why the guards of the account are passed; needs a token with the role `approve`.
            host: the name of a platform that was never called before: so it is confirmed.
            plan: the token of a plan: only what was planned is handed in, and only once.
            expect_count: how many references there must be, each counted once, none malformed.
            max_invalid: how many entries may be malformed, a number or a share such as `10%`.
            content_type: what a file holds, where its name does not tell.
            column: which column of CSV, or which key of JSON lines, holds the references.
            delimiter: what stands between the cells of CSV.
            header: whether CSV begins with the names of its columns.
            skip_lines: how many lines to skip at the beginning.

        Raises:
            InputError: what was handed in cannot be used.
            IdempotencyConflict: the key was used before with other content.
            UnsupportedError: this cannot be said this way.
        """
        wanted = options(
            reason=reason,
            requested_by=requested_by,
            priority=priority,
            deadline=deadline,
            start_at=start_at,
            account=account,
            idempotency_key=idempotency_key,
            hold=hold,
            max_refused=max_refused,
            max_unconfirmed=max_unconfirmed,
            canary=canary,
            snapshot=snapshot,
            override=override,
            host=host,
            plan=plan,
            expect_count=expect_count,
            max_invalid=max_invalid,
            column=column,
            delimiter=delimiter,
            header=header,
            skip_lines=skip_lines,
        )
        with sources.source_of(references, content_type) as source:
            handed = self._transport.submit(source, wanted)
        status = JobStatus.of_document(handed.document) if handed.document else None
        return Job(self._transport, handed.id, entry=handed.entry, status=status)

    def job(self, job: str) -> Job:
        """Finds a job by its id.

        Raises:
            NotFound: there is none.
        """
        return Job(self._transport, job, entry=None, status=None).refresh()

    def jobs(
        self,
        *,
        state: str | None = None,
        account: str | None = None,
        requested_by: str | None = None,
        since: When | None = None,
    ) -> Iterator[Job]:
        """Lists jobs, newest first, page by page as they are asked for."""
        if isinstance(since, timedelta):
            raise wrong("since", "give a datetime or a text")
        if isinstance(since, datetime) and since.utcoffset() is None:
            raise wrong("since", "the time has no offset from UTC")
        given = {
            "state": state,
            "account": account,
            "requested_by": requested_by,
            "since": since.isoformat() if isinstance(since, datetime) else since,
        }
        filters = {name: value for name, value in given.items() if value is not None}
        while True:
            page = self._transport.jobs(filters)
            for document in page["jobs"]:
                yield Job(self._transport, document["job"], entry=None, status=JobStatus.of_document(document))
            if not page["next"]:
                return
            filters["cursor"] = page["next"]

    def find(self, reference: str) -> Mentions:
        """Every job that named a reference, newest first, and what became of it there.

        Args:
            reference: in any case of letters.

        Raises:
            InputError: it is no reference.
        """
        pages = [self._transport.mentions(reference, None)]
        while pages[-1].get("next"):
            pages.append(self._transport.mentions(reference, pages[-1]["next"]))
        return Mentions.of_pages(pages)

    def consume(
        self,
        group: str,
        *,
        consumer: str | None = None,
        batch: int = _BATCH,
        take_over_after: float = _TAKE_OVER_S,
        wait: float | None = None,
        from_start: bool = True,
    ) -> Consumer:
        """Reads the results of all jobs through a consumer group, each until it is acknowledged.

        A result is acknowledged when the loop asks for the next one; where its body raised, the result comes again.

        Args:
            group: each group gets every result; made where there is none.
            consumer: this reader's name within the group, best the same after a restart; by default that of this
                process.
            batch: how many results are read at a time.
            take_over_after: seconds after which results that another consumer holds are taken over.
            wait: seconds without a result after which the loop ends; None goes on for ever.
            from_start: whether a new group begins with the oldest result; else with the next one.
        """
        return Consumer(
            self._transport,
            group=group,
            consumer=f"{socket.gethostname()}-{os.getpid()}" if consumer is None else consumer,
            batch=batch,
            take_over_after=take_over_after,
            wait=wait,
            from_start=from_start,
            backoff=self._backoff,
            passing=consumer is None,
        )


def _transport(
    url: str,
    token: str | None,
    timeout: float,
    backoff: Backoff,
    namespace: str,
    reply_to: str | None,
    http: httpx.Client | None,
) -> Transport:
    if split(url).scheme in HTTP_SCHEMES:
        if reply_to is not None:
            raise wrong("reply_to", "it is for Redis; by HTTP a job has its id at once")
        return HttpTransport(url, token=token, timeout=timeout, backoff=backoff, http=http)
    if token is not None or http is not None:
        raise wrong(
            "token" if token is not None else "http", "it is for HTTP; a password of Redis stands in its address"
        )
    try:
        from cancellist_client._sync.streams import StreamsTransport  # noqa: PLC0415 - redis is an extra
    except ImportError as error:
        raise UnsupportedError("Redis needs another package: pip install 'cancellist-client[redis]'") from error
    return StreamsTransport(url, namespace=namespace, reply_to=reply_name(reply_to), timeout=timeout, backoff=backoff)
