"""A user's file of references on its way into a job: read by blocks, checked, each reference once."""

import asyncio
import errno
import os
import stat
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from cli.terminal import console, is_terminal, say
from jobs.documents import Form, Reader
from jobs.errors import InputError
from jobs.ledger.deduplication import Deduplicator
from jobs.references import InvalidEntry, RawBatch, ReferencePattern, classify

STDIN: Final = "-"
BLOCK_BYTES: Final = 256 * 1024
LISTED: Final = 20
"""Malformed lines that are listed; the rest is counted."""
_BAR_AFTER_S: Final = 0.7

FORMS: Final[dict[Form, str]] = {
    "csv": "CSV",
    "json": "JSON array",
    "jsonl": "JSON lines",
    "lines": "one reference a line",
}


class Source:
    """Where a file is read from: a path, or `-` for standard input.

    Attributes:
        size: bytes, where it can be known.
    """

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == STDIN else path
        self._own = path != STDIN
        if not self._own and sys.stdin is None:  # as `<&-` leaves it
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._descriptor = os.open(path, os.O_RDONLY) if self._own else sys.stdin.fileno()
        about = os.fstat(self._descriptor)
        if stat.S_ISDIR(about.st_mode):
            os.close(self._descriptor)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self.size = about.st_size if stat.S_ISREG(about.st_mode) else None

    @property
    def typed(self) -> bool:
        """Whether somebody types it."""
        return os.isatty(self._descriptor)

    async def blocks(self) -> AsyncIterator[bytes]:
        """Reads it in a thread of its own, which does not keep the process from ending while it waits for input."""
        loop = asyncio.get_running_loop()
        while True:
            future: asyncio.Future[bytes] = loop.create_future()
            threading.Thread(target=self._read, args=(loop, future), daemon=True).start()
            block = await future
            if not block:
                return
            yield block

    def close(self) -> None:
        """Closes what was opened here."""
        if self._own:
            os.close(self._descriptor)

    def _read(self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[bytes]") -> None:
        block: bytes | OSError
        try:
            block = os.read(self._descriptor, BLOCK_BYTES)
        except OSError as error:
            block = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(_hand_over, future, block)


def _hand_over(future: "asyncio.Future[bytes]", block: bytes | OSError) -> None:
    if future.done():
        return
    if isinstance(block, OSError):
        future.set_exception(block)
    else:
        future.set_result(block)


class Feed:
    """The references of one source, in order, each once, and its malformed lines.

    Attributes:
        valid: distinct references so far.
        invalid: malformed lines so far.
        listed: the first few of them.
    """

    def __init__(self, source: Source, *, column: str | None, pattern: ReferencePattern, listed: int) -> None:
        self.reader = Reader(column=column, pattern=pattern)
        self.valid = 0
        self.invalid = 0
        self.listed: list[InvalidEntry] = []
        self._source = source
        self._pattern = pattern
        self._most = listed
        self._deduplicator = Deduplicator()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._deduplicator.close()
        self._source.close()

    @property
    def pattern(self) -> str:
        """What references look like."""
        return self._pattern.pattern

    @property
    def duplicates(self) -> int:
        """References left out so far, because they were named before."""
        return self._deduplicator.duplicates

    @property
    def total(self) -> int:
        """What will get a result: distinct references and malformed lines."""
        return self.valid + self.invalid

    async def batches(self) -> AsyncIterator[tuple[list[str], list[InvalidEntry]]]:
        """Reads it all.

        Raises:
            InputError: it cannot be read as any of the forms.
        """
        with _bar(self._source.size) as moved:
            try:
                async for block in self._source.blocks():
                    for raw in self.reader.feed(block):
                        yield self._check(raw)
                    moved(len(block))
            except OSError as error:
                raise InputError(f"{self._source.name} cannot be read: {error.strerror or error}") from error
            for raw in self.reader.flush():
                yield self._check(raw)

    def _check(self, raw: RawBatch) -> tuple[list[str], list[InvalidEntry]]:
        checked = classify(raw, self._pattern)
        fresh = self._deduplicator.unique(checked.valid)
        self.valid += len(fresh)
        self.invalid += len(checked.invalid)
        self.listed += checked.invalid[: self._most - len(self.listed)]
        return fresh, checked.invalid


@contextmanager
def opened(path: str, *, column: str | None, pattern: ReferencePattern, listed: int = LISTED) -> Iterator[Feed]:
    """The references of a file, or of standard input; of its malformed lines, the first `listed` are kept.

    Raises:
        InputError: there is no such file, or it may not be read.
    """
    try:
        source = Source(path)
    except FileNotFoundError:
        raise InputError(f"there is no file {path!r}; a file's name is wanted, or - for standard input") from None
    except OSError as error:
        name = "standard input" if path == STDIN else path
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
    if source.typed:
        say("reading references from the terminal, one a line; end with Ctrl-D")
    with Feed(source, column=column, pattern=pattern, listed=listed) as feed:
        yield feed


def tell(feed: Feed) -> None:
    """Says what the user should know of the input: warnings, and the first malformed lines with their numbers."""
    for warning in feed.reader.warnings:
        say(f"note: {warning}")
    if not feed.invalid:
        return
    lines = "1 malformed line" if feed.invalid == 1 else f"{feed.invalid:,} malformed lines"
    say(f"{lines}, never sent; references look like {feed.pattern}")
    for entry in feed.listed:
        reason = "" if entry.reason.endswith(feed.pattern) else entry.reason
        say(f"  line {entry.line}: {': '.join(filter(None, (entry.text, reason)))}")
    if feed.invalid > len(feed.listed):
        say(f"  and {feed.invalid - len(feed.listed):,} more")


@contextmanager
def _bar(size: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, for a file that takes a while; does nothing where there is no terminal."""
    if not size or not is_terminal(err=True):
        yield lambda _: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - slow to import, and most files need no bar

    begun_at = time.monotonic()
    with Progress(console=console(err=True), transient=True) as progress:
        task = progress.add_task("reading", total=size, visible=False)
        yield lambda moved: progress.update(
            task, advance=moved, visible=time.monotonic() - begun_at > _BAR_AFTER_S, refresh=False
        )
