"""Which jobs named a reference, and what became of it: over all jobs, also those whose results were trimmed.

The results stream is copied into a file (index_file.py), in batches. `serve` follows the stream in the background,
and whoever asks brings the file up to the stream's end first. It is no consumer group: the stream is trimmed whether
the file has it or not, and what it then has not is told as a gap.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from redis.exceptions import ResponseError

from cancellist.jobs.ledger import records, stream_place
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references import open_references
from cancellist.jobs.ledger.references.index_errors import DamagedIndexError
from cancellist.jobs.ledger.references.index_file import ReferenceFile
from cancellist.jobs.ledger.references.index_lock import behind, check, in_thread, locked
from cancellist.jobs.ledger.references.ledger_identity import identity_key, identity_of, index_name
from cancellist.jobs.ledger.references.mentions import Mention, Mentions
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.ledger.stream_place import Entry, Gap, Place, PlaceStatus, Stream, moved
from cancellist.jobs.model import Result

BATCH: Final = 2_000
"""Entries that are read at once."""
_TRIES: Final = 5

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Told how many entries were read, and how many there are to read."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of the stream in one go.

    Attributes:
        at_cursor: the entry that was read last before.
        entries: what follows on it.
        oldest_job_ms: when the oldest job that is known was made; None where there is none.
    """

    stream: Stream | None
    at_cursor: Entry | None
    entries: Sequence[Entry]
    oldest_job_ms: int | None
    now_ms: int
    at_end: bool


class ReferenceIndex:
    """The index of one ledger.

    Args:
        ledger: the ledger.
        folder: where the file is.
        jobs_keep_s: for how long results are remembered, and as long as a job is known that is as old.
        on_wait: told where another process is waited for.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, *, jobs_keep_s: float, on_wait: Callable[[str], None] | None = None
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._keep_ms = round(jobs_keep_s * 1000)
        self._on_wait = on_wait
        self._turn = asyncio.Lock()
        self._file: ReferenceFile | None = None
        self._identity = ""

    async def close(self) -> None:
        """Closes the file."""
        async with self._turn:
            self._shut()

    async def find(
        self,
        reference: str,
        *,
        before: str | None,
        limit: int,
        progress: Progress | None = None,
        within_s: float | None = None,
    ) -> Mentions:
        """The jobs that named a reference, brought up to this moment.

        Args:
            reference: upper case.
            before: only jobs older than this one.
            limit: how many at most.
            progress: told how far the file is, where it is behind.
            within_s: seconds that it may take to bring the file up to date; None for as many as it needs.

        Raises:
            IndexBehindError: it takes longer; the next question goes on where this one has stopped.
        """
        until_s = None if within_s is None else asyncio.get_running_loop().time() + within_s
        going = await open_references.naming(self._ledger, reference, before)
        rows, gap = await self._rows(reference, before, limit + 1, progress, until_s)
        results = {row.job: row for row in rows}
        ids = sorted({*results, *going.jobs}, reverse=True)
        page, more = ids[:limit], len(ids) > limit
        known = {record.id: record for record in await records.several(self._ledger, page)}
        since_ms = await self._ledger.now_ms() - self._keep_ms
        told = [job for job in page if job in known or (job in results and results[job].at_ms >= since_ms)]
        mentions = [Mention(job, known.get(job), results.get(job)) for job in told]
        unsearched = [job for job in going.unsearched if job not in ids]
        return Mentions(mentions, page[-1] if more else None, gap, unsearched)

    async def jobs_of(
        self, references: Collection[str], *, since_ms: int, progress: Progress | None = None
    ) -> tuple[list[tuple[str, str]], Gap | None]:
        """The jobs that have had a result for one of many references since then, and what may be missing.

        Args:
            references: upper case.
            since_ms: results that are older do not count.
            progress: told how far the file is, where it is behind.
        """

        async def answer(file: ReferenceFile) -> tuple[list[tuple[str, str]], Gap | None]:
            await self._to_the_end(file, progress, None)
            found = await in_thread(file.jobs_of, references, since_ms=since_ms)
            gap = file.place.gap
            return found, gap if gap and gap.to_ms >= since_ms else None

        return await self._in_turn(answer)

    async def step(self) -> bool:
        """Copies one batch; returns whether more follows."""

        async def copy(file: ReferenceFile) -> bool:
            return await self._batch(file) is not None

        return await self._in_turn(copy)

    async def _rows(
        self, reference: str, before: str | None, limit: int, progress: Progress | None, until_s: float | None
    ) -> tuple[list[Result], Gap | None]:
        """The results of a reference, once the file has what the stream has."""

        async def answer(file: ReferenceFile) -> tuple[list[Result], Gap | None]:
            await self._to_the_end(file, progress, until_s)
            return await in_thread(file.rows, reference, before=before, limit=limit), file.place.gap

        return await self._in_turn(answer, until_s)

    async def _in_turn(self, work: Callable[[ReferenceFile], Awaitable[T]], until_s: float | None = None) -> T:
        """Does something with the file, which is made anew where it turns out to be damaged."""
        async with self._own_turn(until_s):
            try:
                async with self._opened(until_s) as file:
                    return await work(file)
            except DamagedIndexError:
                await self._remake()
            async with self._opened(until_s) as file:
                return await work(file)

    @asynccontextmanager
    async def _own_turn(self, until_s: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(until_s):
                await self._turn.acquire()
        except TimeoutError:
            raise behind() from None
        try:
            yield
        finally:
            self._turn.release()

    async def _to_the_end(self, file: ReferenceFile, progress: Progress | None, until_s: float | None) -> None:
        while (read := await self._batch(file)) is not None:
            check(until_s)
            if progress and read.stream:
                progress(file.place.read, read.stream.added)

    async def _batch(self, file: ReferenceFile) -> _Read | None:
        """Copies one batch; None at the stream's end."""
        read = await self._read(file.place)
        await in_thread(self._write, file, read)
        return None if read.at_end else read

    def _write(self, file: ReferenceFile, read: _Read) -> None:
        place = file.place
        if read.stream is None:
            if place.cursor != stream_place.NOTHING:  # the stream was deleted; what was read of it is still true
                file.rewind(None, _deleted(place, read.now_ms))
        elif stream_place.compare(place, read.stream, read.at_cursor) is PlaceStatus.REPLACED:
            file.rewind(read.stream.first, stream_place.restarted(place, read.stream))
        else:
            after = stream_place.advanced(place, read.stream, read.entries, at_end=read.at_end)
            after = _without_old_gap(after, read.oldest_job_ms)
            if after != place:
                file.add(read.entries, after)
        file.seal()
        kept_from_ms = read.now_ms - self._keep_ms
        file.forget(kept_from_ms if read.oldest_job_ms is None else min(kept_from_ms, read.oldest_job_ms))

    async def _read(self, place: Place) -> _Read:
        """Reads what follows on a place, and how the stream stood meanwhile."""
        results = self._ledger.keys.results
        for _ in range(_TRIES):
            with translated():
                pipe = self._ledger.redis.pipeline(transaction=False)
                pipe.xinfo_stream(results)
                pipe.xrange(results, place.cursor, "+", count=BATCH + 1)
                pipe.xinfo_stream(results)
                pipe.zrange(self._ledger.keys.jobs, 0, 0, withscores=True)
                pipe.get(identity_key(self._ledger))
                pipe.time()
                before, rows, after, oldest, identity, time = await pipe.execute(raise_on_error=False)
                for reply in (before, rows, after, oldest, identity, time):
                    if isinstance(reply, Exception) and "no such key" not in str(reply):
                        raise reply
            if self._identity and (identity or b"").decode() != self._identity:
                raise DamagedIndexError("the ledger is another by now")
            oldest_ms, now_ms = int(oldest[0][1]) if oldest else None, int(time[0]) * 1000 + int(time[1]) // 1000
            if isinstance(before, ResponseError) or isinstance(after, ResponseError):
                return _Read(None, None, [], oldest_ms, now_ms, at_end=True)
            stream, later = Stream.of(before), Stream.of(after)
            if stream.removed == later.removed:
                break  # nothing was trimmed meanwhile
        at_cursor = rows[0] if rows and rows[0][0].decode() == place.cursor else None
        entries = rows[1:] if at_cursor else rows[:BATCH]
        replaced = stream_place.compare(place, later, at_cursor) is PlaceStatus.REPLACED
        at_end = len(rows) <= BATCH and not replaced and later.added == stream.added
        return _Read(later, at_cursor, entries, oldest_ms, now_ms, at_end=at_end)

    @asynccontextmanager
    async def _opened(self, until_s: float | None = None) -> AsyncIterator[ReferenceFile]:
        """The file, for this process alone to write; another's, or one that was deleted meanwhile, is opened anew."""
        identity = await identity_of(self._ledger)
        if self._file and identity != self._identity:
            self._shut()
        self._identity = identity
        path = self._folder / index_name(self._ledger.keys.namespace, identity)
        async with locked(path, self._on_wait, until_s):
            if self._file and self._file.replaced:
                self._shut()
            if self._file is None:
                self._file = await in_thread(ReferenceFile, path, identity)
            await in_thread(self._file.refresh)
            yield self._file

    async def _remake(self) -> None:
        """Deletes a damaged file; whoever opens it next makes it anew."""
        path = self._folder / index_name(self._ledger.keys.namespace, self._identity)
        async with locked(path, self._on_wait):
            if self._file and not self._file.replaced:
                await in_thread(self._file.remove)
            self._shut()

    def _shut(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def _deleted(place: Place, now_ms: int) -> Place:
    """The place where the stream was deleted: what came after it may have gone with it."""
    gap = Gap(stream_place.order(place.cursor)[0], now_ms)
    return moved(place, cursor=stream_place.NOTHING, read=0, mark=b"", gap=gap)


def _without_old_gap(place: Place, oldest_job_ms: int | None) -> Place:
    """The same without a gap that is older than every job that is known: no result of theirs can be in it."""
    if place.gap and (oldest_job_ms is None or place.gap.to_ms < oldest_job_ms):
        return stream_place.without_gap(place)
    return place
