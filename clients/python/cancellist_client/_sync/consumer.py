# Made by scripts/generate_sync.py from _async/consumer.py: change that one, and run the script.

"""Results of the stream of all results, through a consumer group.

A result is acknowledged when the loop asks for the next one: then the loop's body has ended well. Where the body
raises, or the loop is left, its last result stays with this consumer. It comes again, first of all, when a consumer of
that name begins the next time. What a consumer has held for too long goes to another one, so a result may come twice:
deal with it in a way that may happen twice, or keep its `entry` in the same transaction as what you make of it
(examples/sqlite_sink.py).
"""

import random
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from cancellist_client._sync.transport import Transport
from cancellist_client.errors import CancellistError, GroupGone, wrong
from cancellist_client.models import Result
from cancellist_client.retrying import Backoff
from cancellist_client.waiting import Deadline, sync_sleep

_BLOCK_S: Final = 5.0
_FIRST: Final = "0"


class Consumer:
    """One reader of a group. Iterate over it for results one by one, or over `batches()`.

    Two that are at work at once must not have the same name.

    Args:
        transport: the way in.
        group: the group's name; each group gets every result.
        consumer: this reader's name, the same after a restart.
        batch: how many results are read at a time.
        take_over_after: seconds after which results that another reader was given and has not acknowledged are taken.
        wait: seconds without a result after which the loop ends; None goes on for ever.
        from_start: whether a group that is new begins with the oldest result; else with the next one.
        backoff: how to wait while the server is away.
        passing: whether the name is of this process alone, and leaves the group when the loop has come to its end.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        group: str,
        consumer: str,
        batch: int,
        take_over_after: float,
        wait: float | None,
        from_start: bool,
        backoff: Backoff,
        passing: bool = False,
    ) -> None:
        for name, value in (("group", group), ("consumer", consumer)):
            if not value:
                raise wrong(name, "it is empty: give it a name")
        if batch < 1:
            raise wrong("batch", "it is less than 1")
        if take_over_after <= 0:
            raise wrong("take_over_after", "it is not above 0")
        self.group = group
        self.consumer = consumer
        self._transport = transport
        self._batch = batch
        self._take_over_after = take_over_after
        self._wait = wait
        self._from_start = from_start
        self._backoff = backoff
        self._passing = passing
        self._own: str | None = _FIRST  # our own unacknowledged results lie after this entry; None where there are none
        self._looked_at = float("-inf")  # when results of others were looked for
        self._failures = 0

    def __iter__(self) -> Iterator[Result]:
        """Yields results; each is acknowledged when the next is asked for."""
        for batch in self._batches():
            left = deque(batch)
            kept_at = time.monotonic()
            while left:
                if time.monotonic() - kept_at > self._take_over_after / 3:
                    own = self._transport.keep(self.group, self.consumer, [_entry(result) for result in left])
                    left = deque(result for result in left if _entry(result) in own)
                    kept_at = time.monotonic()
                    continue
                result = left.popleft()
                yield result
                self._transport.acknowledge(self.group, [_entry(result)])

    def batches(self) -> Iterator[list[Result]]:
        """Yields results as they are read, some at a time; a batch is acknowledged whole when the next is asked for."""
        for batch in self._batches():
            yield batch
            self._transport.acknowledge(self.group, [_entry(result) for result in batch])

    def _batches(self) -> Iterator[list[Result]]:
        """Batches that this consumer holds and that nobody has dealt with."""
        self._own = _FIRST
        self._transport.join(self.group, from_start=self._from_start)
        deadline = Deadline(self._wait)
        while True:
            try:
                batch = self._next(max(0.0, deadline.left()))
            except CancellistError as error:
                self._recover(error)
                continue
            self._failures = 0
            if batch:
                yield batch
                deadline = Deadline(self._wait)
            elif deadline.left() <= 0 and not self._looks_back():
                if self._passing:
                    self._transport.leave(self.group, self.consumer)
                return

    def _looks_back(self) -> bool:
        """Whether there may be results that this consumer held before."""
        return self._own is not None

    def _next(self, patience: float) -> list[Result]:
        """What this consumer held before, what others have held too long, and what is new, in this order."""
        if self._own is not None:
            batch = self._transport.pending(self.group, self.consumer, after=self._own, count=self._batch)
            self._own = _entry(batch[-1]) if batch else None
            if batch:  # they may have waited so long that another would take them over
                own = self._transport.keep(self.group, self.consumer, [_entry(result) for result in batch])
                return [result for result in batch if _entry(result) in own]
        until_look = self._looked_at + self._take_over_after / 2 - time.monotonic()
        if until_look <= 0:
            batch = self._transport.take_over(self.group, self.consumer, idle=self._take_over_after, count=self._batch)
            if batch:
                return batch
            self._looked_at = time.monotonic()
            until_look = self._take_over_after / 2
        block = min(patience, until_look, _BLOCK_S)
        return self._transport.read(self.group, self.consumer, count=self._batch, block=block)

    def _recover(self, error: CancellistError) -> None:
        """Waits while the server is away; what it gave meanwhile, and we did not get, is pending.

        Raises:
            CancellistError: that does not pass, or not within the attempts allowed.
        """
        if isinstance(error, GroupGone) and self._failures <= self._backoff.retries:
            pause = 0.0
            self._transport.join(self.group, from_start=True)
        elif (asked := self._backoff.wait_s(self._failures, error, random.random())) is not None:
            pause = asked
        else:
            raise error
        self._failures += 1
        self._own = _FIRST
        sync_sleep(pause)


def _entry(result: Result) -> str:
    """The id of a result's entry; whatever is read from the stream has one."""
    return result.entry or ""
