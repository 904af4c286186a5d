# Made by scripts/generate_sync.py from _async/streams.py: change that one, and run the script.

"""The way in by Redis streams: jobs go into the intake stream, and results are read from the stream of all results."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast

from redis import Redis

from cancellist_client._sync.transport import HTTP, Transport
from cancellist_client.addresses import shown, split
from cancellist_client.errors import ApiError, CancellistError, GroupGone, wrong
from cancellist_client.intake import before, entry_of, job_of
from cancellist_client.models import Handed, Result
from cancellist_client.options import Options
from cancellist_client.redis_errors import translated
from cancellist_client.retrying import Backoff
from cancellist_client.sources import Source
from cancellist_client.waiting import Deadline, sync_run, sync_sleep, sync_socket_timeout, sync_within

T = TypeVar("T")

_START: Final = b"0-0"
_ANSWERS: Final = 1000
_MOST: Final = 100_000
"""Entries that one consumer may hold between the first and the last of a batch."""


class StreamsTransport(Transport):
    """Speaks to the Redis or Valkey server that producers, workers and readers share.

    Args:
        url: where it is.
        namespace: the prefix of its keys.
        reply_to: the name under which workers answer entries; empty for no answers.
        timeout: seconds without a sign of life after which an answer is given up.
        backoff: when a command is sent again.
    """

    def __init__(self, url: str, *, namespace: str, reply_to: str, timeout: float, backoff: Backoff) -> None:
        self.shown = shown(split(url))
        self._intake = f"{namespace}:intake"
        self._results = f"{namespace}:results"
        self._reply_to = reply_to
        self._replies = f"{namespace}:replies:{reply_to}"
        self._timeout = timeout
        self._backoff = backoff
        connect = cast("Callable[..., Any]", Redis.from_url)  # pyright: ignore[reportUnknownMemberType] - loosely typed
        self._redis = connect(
            url, protocol=2, socket_timeout=sync_socket_timeout(timeout), socket_connect_timeout=timeout
        )
        pool = self._redis.connection_pool
        try:
            pool.connection_class(**pool.connection_kwargs)  # it would look at them only as it connects
        except TypeError:
            raise wrong("url", "what follows ? is no option of redis-py") from None

    def submit(self, source: Source, options: Options) -> Handed:
        """Adds an entry; sent twice, it is one job all the same, by its idempotency key."""
        fields = sync_run(entry_of, source, options)
        if self._reply_to:
            fields["reply_to"] = self._reply_to
        entry: bytes = self._again(lambda: self._redis.xadd(self._intake, fields))
        return Handed(None, entry.decode(), None)

    def answered(self, entry: str, timeout: float) -> str | None:  # noqa: ASYNC109 - its twin has no other way
        """XREAD of the answers, from about when the entry was made."""
        if not self._reply_to:
            self.cannot('learning the id of an entry\'s job with reply_to=""', HTTP)
        deadline, after = Deadline(timeout), before(entry)
        while True:
            block_ms = max(1, round(min(max(deadline.left(), 0), self._timeout / 2) * 1000))
            read = partial(self._redis.xread, {self._replies: after}, count=_ANSWERS, block=block_ms)
            reply = self._again(read)
            for found, fields in reply[0][1] if reply else ():
                if fields[b"entry"].decode() == entry:
                    return job_of(fields)
                after = found
            if deadline.left() <= 0 and not reply:
                return None

    def join(self, group: str, *, from_start: bool) -> None:
        """Makes the group, and the stream too, where there is none."""
        try:
            self._again(
                lambda: self._redis.xgroup_create(self._results, group, id="0" if from_start else "$", mkstream=True)
            )
        except ApiError as error:
            if "BUSYGROUP" not in error.detail:
                raise

    def read(self, group: str, consumer: str, *, count: int, block: float) -> list[Result]:
        """New results; asked for once: where the reply is lost they are pending, and are not new any more."""
        block_ms = max(1, round(min(block, self._timeout / 2) * 1000))
        with translated(self.shown):
            command = self._redis.xreadgroup(group, consumer, {self._results: ">"}, count=count, block=block_ms)
            reply = sync_within(command, self._timeout)
        return self._made(group, reply[0][1]) if reply else []

    def pending(self, group: str, consumer: str, *, after: str, count: int) -> list[Result]:
        """What this consumer was given before."""
        while True:
            read = partial(self._redis.xreadgroup, group, consumer, {self._results: after}, count=count)
            reply = self._again(read)
            rows: list[Any] = reply[0][1] if reply else []
            found = self._made(group, rows)
            if found or not rows:  # else all of them were trimmed, and are acknowledged by now
                return found

    def take_over(self, group: str, consumer: str, *, idle: float, count: int) -> list[Result]:
        """XAUTOCLAIM, which looks at some of what is pending at a time."""
        start = _START
        while True:
            claim = partial(
                self._redis.xautoclaim, self._results, group, consumer, round(idle * 1000), start, count=count
            )
            following, rows, *_ = self._again(claim)
            found = self._made(group, rows)
            if found or following == _START:
                return found
            start = following

    def keep(self, group: str, consumer: str, entries: Sequence[str]) -> set[str]:
        """Those that are still this consumer's own are claimed by it anew, so that their idle time begins again."""
        if not entries:
            return set()
        look = partial(
            self._redis.xpending_range, self._results, group, entries[0], entries[-1], _MOST, consumername=consumer
        )
        try:
            rows: list[dict[str, bytes]] = self._again(look)
        except GroupGone:
            return set()
        own = {row["message_id"].decode() for row in rows} & set(entries)
        if own:
            self._again(lambda: self._redis.xclaim(self._results, group, consumer, 0, sorted(own), justid=True))
        return own

    def acknowledge(self, group: str, entries: Sequence[str]) -> None:
        """XACK."""
        if entries:
            self._again(lambda: self._redis.xack(self._results, group, *entries))

    def leave(self, group: str, consumer: str) -> None:
        """XGROUP DELCONSUMER, which would lose what it holds: so it must hold nothing."""
        rows: list[Any] = self._again(
            lambda: self._redis.xpending_range(self._results, group, "-", "+", 1, consumername=consumer)
        )
        if not rows:
            self._again(lambda: self._redis.xgroup_delconsumer(self._results, group, consumer))

    def close(self) -> None:
        """Gives up its connections."""
        self._redis.close()

    def _made(self, group: str, rows: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Result]:
        """Results of entries; an entry that was trimmed meanwhile has no fields, and nobody can deal with it."""
        gone = [entry.decode() for entry, fields in rows if not fields]
        self.acknowledge(group, gone)
        return [
            Result.of_entry(entry.decode(), {name.decode(): value.decode() for name, value in fields.items()})
            for entry, fields in rows
            if fields
        ]

    def _again(self, command: Callable[[], T]) -> T:
        """Sends a command, and again where that may help: each may be sent twice."""
        attempt = 0
        while True:
            try:
                with translated(self.shown):
                    return sync_within(command(), self._timeout)
            except CancellistError as error:
                pause = self._backoff.wait_s(attempt, error, random.random())
                if pause is None:
                    raise
            attempt += 1
            sync_sleep(pause)
