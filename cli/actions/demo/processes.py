"""Starts and stops the demo's processes: the local platform and a worker."""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cancellist
from cancellist.jobs.errors import CancellistError

LATENCY_MS: Final = 30
_START_S: Final = 30.0
_END_S: Final = 15.0
_CALL_S: Final = 60.0
_SLICE: Final = 5_000
_ROOT: Final = Path(cancellist.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Platform:
    """The local platform's record of what really happened."""

    url: str

    async def record(self, references: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns the record's row of each reference."""
        rows: dict[str, dict[str, Any]] = {}
        for at in range(0, len(references), _SLICE):
            part = list(references[at : at + _SLICE])
            answer = await asyncio.to_thread(self._ask, "/sandbox/record", json.dumps(part).encode())
            rows |= zip(part, answer, strict=True)
        return rows

    async def stats(self) -> dict[str, Any]:
        """Returns the platform's statistics of calls."""
        answer: dict[str, Any] = await asyncio.to_thread(self._ask, "/sandbox/stats", None)
        return answer

    def _ask(self, path: str, body: bytes | None) -> Any:
        with urllib.request.urlopen(self.url + path, body, timeout=_CALL_S) as answer:  # noqa: S310 - our own sandbox
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker's process and its log file."""

    process: asyncio.subprocess.Process
    log: Path

    async def died(self) -> CancellistError:
        """Waits until the worker ends, which it should not; returns the error to raise."""
        status = await self.process.wait()
        words = self.log.read_text(errors="replace").strip().splitlines()
        return CancellistError(f"the demo's worker ended with {status}: {words[-1] if words else 'it said nothing'}")


@asynccontextmanager
async def platform(folder: Path, *, consignments: int, seed: int, mix: str) -> AsyncIterator[Platform]:
    """Runs the local platform on a free port.

    Raises:
        CancellistError: the platform does not start.
    """
    log = folder / "sandbox.log"
    arguments = ["--json", "--port", "0", "--seed", str(seed), "--mix", mix, "--consignments", str(consignments)]
    command = ("cancellist.sandbox", *arguments, "--latency-ms", str(LATENCY_MS))
    async with _process(command, folder, {}, log, answers=True) as process:
        try:
            async with asyncio.timeout(_START_S):
                announced = await _first_line(process)
            yield Platform(json.loads(announced)["url"])
        except (TimeoutError, ValueError) as error:
            raise CancellistError(f"the local platform did not start; see {log}") from error


@asynccontextmanager
async def worker(folder: Path, settings: dict[str, str]) -> AsyncIterator[Worker]:
    """Runs a worker with these settings only."""
    log = folder / "worker.log"
    environment = {f"CANCELLIST_{name.upper()}": value for name, value in settings.items()}
    async with _process(("cancellist", "worker", "--json"), folder, environment, log) as process:
        yield Worker(process, log)


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None:
        raise AssertionError("it was started with a pipe")
    return await process.stdout.readline()


@asynccontextmanager
async def _process(
    command: Sequence[str], folder: Path, settings: dict[str, str], log: Path, *, answers: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a Python module as a process, and ends it at the end of the block.

    Its folder has no `.env`. It has a session of its own, so that Ctrl-C reaches only the demo, which then ends it.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=folder, env={**os.environ, "PYTHONPATH": path, **settings},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE if answers else out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Terminates the process, and kills it if it does not end in time."""
    if process.returncode is not None:
        return
    try:
        process.terminate()
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
