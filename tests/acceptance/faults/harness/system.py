"""A stage with a fault-injecting proxy before its server and one before its platform."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cancellist.jobs.ledger.core import Ledger
from tests.acceptance.faults.harness.proxy import Proxy, proxied
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server, running
from tests.support.stage import Platform, Stage, Worker, platform

LEASE_S = 2
SETTINGS = {
    "max_concurrent_calls": "8", "lease_seconds": str(LEASE_S), "call_timeout": "2", "retry_base": "0.05",
    "retry_cap": "0.5", "max_attempts": "12",
}  # fmt: skip


@dataclass
class Rig(Stage):
    """A server, a platform and workers that reach both through proxies.

    Attributes:
        proxy: the proxy before the server.
        gateway: the proxy before the platform.
        extra: further environment of the next workers.
    """

    proxy: Proxy = field(kw_only=True)
    gateway: Proxy = field(kw_only=True)
    extra: dict[str, str] = field(default_factory=dict, kw_only=True)

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of the project's processes."""
        through = {"redis_url": f"redis://{self.proxy.address}", "api_url": f"http://{self.gateway.address}"}
        return {**super().environment(**{**through, **settings}), **self.extra}

    def producer(self) -> contextlib.AbstractAsyncContextManager[Ledger]:
        """Opens the ledger through the proxy, as a producer does."""
        return opened_ledger(f"redis://{self.proxy.address}")

    def shifted_clock(self, seconds: float) -> dict[str, str]:
        """Returns the environment of a process with a shifted wall clock. Its monotonic clock is right."""
        folder = self.folder / f"clock{seconds:+.0f}"
        folder.mkdir(exist_ok=True)
        text = (
            "import os, time\n"
            f"open(os.path.join(os.path.dirname(__file__), f'{{os.getpid()}}.off'), 'w').close()\n"
            "_true, _true_ns = time.time, time.time_ns\n"
            f"time.time = lambda: _true() + {seconds}\n"
            f"time.time_ns = lambda: _true_ns() + int({seconds} * 1e9)\n"
        )
        (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
        return {"PYTHONPATH": f"{folder}:{super().environment()['PYTHONPATH']}"}

    def clock_is_off(self, process: int) -> bool:
        """Returns whether a process runs with a shifted clock. A missing shift would go unnoticed without it."""
        return any(self.folder.glob(f"clock*/{process}.off"))


@contextlib.contextmanager
def rigged(
    kind: str, folder: Path, *options: str, fsync: str = "always", latency_ms: float = 20, consignments: int = 60_000
) -> Iterator[Rig]:
    """Runs a new system for a block."""
    with (
        running(kind, folder, *options, fsync=fsync) as server,
        platform(folder, latency_ms=latency_ms, consignments=consignments) as world,
        rig_on(server, world, folder) as rig,
    ):
        yield rig


@contextlib.contextmanager
def rig_on(server: Server, world: Platform, folder: Path) -> Iterator[Rig]:
    """Puts proxies before an existing server and platform, for a block."""
    host, _, port = world.url.removeprefix("http://").partition(":")
    with (
        proxied(str(server.path)) as proxy,
        proxied((host, int(port)), resp=False) as gateway,
        Rig(server, world, folder, dict(SETTINGS), proxy=proxy, gateway=gateway) as rig,
    ):
        yield rig


def statuses(workers: Sequence[Worker]) -> list[int]:
    """Ends workers by SIGTERM and returns their exit statuses."""
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.terminate()
    return [worker.process.wait(40) for worker in workers]
