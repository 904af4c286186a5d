"""Opens the files of a job, shows a progress bar while they are read, and reports their malformed entries."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final

from cancellist.cli.actions.file_blocks import STDIN, Source
from cancellist.cli.terminal import console, is_terminal, say
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger.submitting.input_feed import LISTED, MAX_INVALID, Feed
from cancellist.jobs.limits import Limit
from cancellist.jobs.parsing.documents import Hints
from cancellist.jobs.parsing.patterns import ReferencePattern

_BAR_AFTER_S: Final = 0.7


@contextmanager
def opened(
    paths: Sequence[str],
    *,
    pattern: ReferencePattern,
    hints: Hints | None = None,
    listed: int = LISTED,
    limit: Limit = MAX_INVALID,
) -> Iterator[Feed]:
    """Opens files, or standard input, for reading references.

    Args:
        paths: the files, read in this order; `-` is standard input.
        pattern: what a reference looks like.
        hints: what the user says about the form of the files.
        listed: how many malformed entries are kept for the report.
        limit: how many entries may be malformed.

    Raises:
        InputError: a file does not exist, or standard input is named twice.
    """
    if paths.count(STDIN) > 1:
        raise InputError("standard input can be read only once: give - once")
    sources = [Source(path) for path in paths]
    sizes = [source.size for source in sources]
    bar = _Bar(None if None in sizes else sum(filter(None, sizes)))
    watched = [_Watched(source, bar) for source in sources]
    with Feed(watched, hints=hints or Hints(), pattern=pattern, listed=listed, limit=limit) as feed:
        yield feed


def tell(feed: Feed) -> None:
    """Reports notes about the files, and the first malformed lines with their numbers."""
    for reading in feed.readings:
        for warning in reading.reader.warnings:
            say(f"note: {reading.name}: {warning}" if feed.several else f"note: {warning}")
    if not feed.invalid:
        return
    lines = "1 malformed line" if feed.invalid == 1 else f"{feed.invalid:,} malformed lines"
    say(f"{lines}, never sent; references look like {feed.pattern}")
    for one in feed.listed:
        file = f"{one.file}, " if feed.several else ""
        reason = "" if one.entry.reason.endswith(feed.pattern) else one.entry.reason
        say(f"  {file}line {one.entry.line}: {': '.join(filter(None, (one.entry.text, reason)))}")
    if feed.invalid > len(feed.listed):
        say(f"  and {feed.invalid - len(feed.listed):,} more")


class _Bar:
    """A progress bar on standard error for files that take long. Without a terminal it shows nothing."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._begun_at = time.monotonic()
        self._done = 0

    @contextmanager
    def shown(self) -> Iterator[Callable[[int], None]]:
        """Shows the bar while a file is read. Call the function it yields with the number of bytes read."""
        if not self._size or not is_terminal(err=True):
            yield lambda _: None
            return
        from rich.progress import Progress  # noqa: PLC0415 - slow to import, and most files need no bar

        with Progress(console=console(err=True), transient=True) as progress:
            task = progress.add_task("reading", total=self._size, completed=self._done, visible=False)

            def moved(size: int) -> None:
                self._done += size
                visible = time.monotonic() - self._begun_at > _BAR_AFTER_S
                progress.update(task, advance=size, visible=visible, refresh=False)

            yield moved


class _Watched:
    """A file whose reading moves the bar."""

    def __init__(self, source: Source, bar: _Bar) -> None:
        self._source = source
        self._bar = bar

    @property
    def name(self) -> str:
        return self._source.name

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        with self._bar.shown() as moved:
            async with aclosing(self._source.blocks()) as blocks:
                async for block in blocks:
                    yield block
                    moved(len(block))
