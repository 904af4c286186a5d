"""`cancellist serve` as a process of its own, on a server of a benchmark."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import engine, servers
from cancellist.jobs.access import ALL, Token, digest_of

TOKEN = "a token of benchmarks, of nobody's"
RATE = 1_000_000
_PEAK = "5\n"
"""Written to `clear_refs`, it has the kernel begin the peak of a process's memory anew (proc(5))."""


@dataclass(frozen=True)
class Api:
    """A process that serves."""

    pid: int
    url: str

    def client(self) -> httpx.AsyncClient:
        """A client with all roles."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=600, trust_env=False)

    def begin_peak(self) -> float:
        """Forget the peak of its memory so far; return the MiB that are resident."""
        Path(f"/proc/{self.pid}/clear_refs").write_text(_PEAK)
        return self._mib("VmRSS")

    @property
    def peak_mib(self) -> float:
        """The most memory that was resident since `begin_peak`."""
        return self._mib("VmHWM")

    def _mib(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024


@contextlib.asynccontextmanager
async def serving(server: servers.Valkey, **settings: str | int) -> AsyncIterator[Api]:
    """Run `cancellist serve` on a free port, with `settings` and all others at their defaults."""
    tokens = Token("bench", ALL, digest_of(TOKEN)).setting
    environment = engine.environment(
        redis_url=server.url, data_dir=str(server.directory), api_tokens=tokens, serve_rate=RATE, **settings
    )
    async with servers.listening(
        *("`cancellist serve`", "-m", "cancellist", "serve", "--port", "0", "--json"),
        cwd=server.directory, env=environment, stderr=asyncio.subprocess.DEVNULL,
    ) as (pid, url):  # fmt: skip
        yield Api(pid, url)
