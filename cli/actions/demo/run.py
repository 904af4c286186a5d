"""Runs the demo from beginning to end."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from cancellist.cli import session
from cancellist.cli.actions import enqueue_report, input_file
from cancellist.cli.actions.demo import export as exports
from cancellist.cli.actions.demo import processes, summary
from cancellist.cli.actions.demo.comparison import verify
from cancellist.cli.actions.demo.export import Export
from cancellist.cli.actions.demo.processes import Platform, Worker
from cancellist.cli.output import progress_view, wording
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.ledger import accounts, results
from cancellist.jobs.ledger.opening import Opened
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import DEFAULT_ACCOUNT, JobRequest
from cancellist.jobs.parsing.patterns import ReferencePattern

T = TypeVar("T")

CALLS: Final = 16
_LISTED: Final = 3
_LOOK_EVERY_S: Final = 0.05


def demo(rows: int, *, keep: bool, as_json: bool) -> int:
    """Runs the demo and returns the exit status."""
    _forget_settings()
    with _folder(keep=keep) as folder:
        document = session.run(_demo(rows, folder))
    if keep:
        document["folder"] = str(folder)
    if as_json:
        emit(document)
    else:
        summary.tell(document)
    return 0 if document["agrees"] else 1


def _forget_settings() -> None:
    """Removes the user's settings from the environment of this process and of those it starts."""
    for name in list(os.environ):
        if name.upper().startswith("CANCELLIST_"):
            del os.environ[name]


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cancellist-demo-"))
    try:
        yield folder
    finally:
        if keep:
            say(f"the file, the data and the logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def _demo(rows: int, folder: Path) -> dict[str, Any]:
    settings = load(_env_file=None, data_dir=folder / "data", max_concurrent_calls=CALLS)
    export = await asyncio.to_thread(exports.write, folder / "export.csv", rows)
    say(
        f"a file of {wording.count(rows)} orders, and a platform with {wording.count(export.consignments)} consignments"
    )
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(session.ledger_of(settings))
        platform = await stack.enter_async_context(
            processes.platform(folder, consignments=export.consignments, seed=exports.SEED, mix=exports.MIX)
        )
        worker = await stack.enter_async_context(processes.worker(folder, _settings_of(settings, platform)))
        await _while_alive(worker, _begun(opened))
        say(f"server, platform ({processes.LATENCY_MS} ms a call) and worker ({CALLS} calls at once) are up")
        seen = await _while_alive(worker, _cancel(opened, export, settings))
        say("checking every result against the platform's own record")
        found = [result async for _, page in results.of_job(opened.ledger, seen.record.id) for result in page]
        verdict = verify(export, found, await platform.record(export.references))
        return summary.document(rows, export, seen, verdict, await platform.stats())


def _settings_of(settings: Settings, platform: Platform) -> dict[str, str]:
    return {
        "data_dir": str(settings.data_dir),
        "api_url": platform.url,
        "max_concurrent_calls": str(settings.max_concurrent_calls),
        "log_level": "info",
    }


async def _begun(opened: Opened) -> None:
    """Waits until a worker is running."""
    while True:
        if (await accounts.gate(opened.ledger, DEFAULT_ACCOUNT)).workers:
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _cancel(opened: Opened, export: Export, settings: Settings) -> Snapshot:
    """Creates a job from the file, as `enqueue` does, and shows its progress until it has ended."""
    pattern = ReferencePattern(settings.reference_pattern)
    with input_file.opened([str(export.path)], pattern=pattern, listed=_LISTED) as feed:
        order = JobRequest(reason="demonstration", requested_by="cancellist demo")
        submitted = await enqueue_report.submit(opened.ledger, order, feed, settings)
    enqueue_report.tell_submitted(submitted)
    with progress_view.view(err=True) as view:
        return await progress_view.follow(opened, submitted.job, view)


async def _while_alive(worker: Worker, work: Coroutine[Any, Any, T]) -> T:
    """Awaits the work, and raises an error if the worker ends first."""
    working, dying = asyncio.create_task(work), asyncio.create_task(worker.died())
    try:
        await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise dying.result()
        return working.result()
    finally:
        for task in (working, dying):
            task.cancel()
        await asyncio.gather(working, dying, return_exceptions=True)
