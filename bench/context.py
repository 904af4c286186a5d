"""The context of a benchmark: its sizes, the means to run contenders, and earlier results of the run.

A benchmark is a module with `async def run(context: Context) -> list[Row]`, named in `bench/run.py`.
"""

import json
import sys
import time
from dataclasses import dataclass, field

from bench import servers
from bench.measure import Measured
from bench.table import Row

WORK_ROUNDS = 500_000


@dataclass
class Context:
    """One run of the benchmarks: its sizes, its rows so far, and how steady the machine was meanwhile."""

    references: int = 100_000
    size: int = 100
    latency_ms: float = 50.0
    concurrency: int = 16
    repeats: int = 5
    queued: int = 1_000_000
    rows: list[Row] = field(default_factory=list)
    steadiness_ms: list[float] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Print the progress."""
        print(text, file=sys.stderr, flush=True)

    def find(self, name: str) -> Row | None:
        """Return the row of that name, if this run has measured it."""
        return next((row for row in self.rows if row.name == name), None)

    def probe(self) -> None:
        """Time a fixed piece of work, so that the table shows how busy the machine was."""
        started = time.perf_counter()
        total = 0
        for count in range(WORK_ROUNDS):
            total += count
        self.steadiness_ms.append((time.perf_counter() - started) * 1000)

    async def contend(self, module: str, *arguments: str, url: str, latency_ms: float) -> Measured:
        """Run one contender (`bench/sockets.py`, for one) as a process of its own against the platform at `url`."""
        self.probe()
        output = await servers.output_of(
            f"bench.{module}",
            *(sys.executable, "-m", f"bench.{module}", "--url", url, "--latency-ms", str(latency_ms)),
            *("--references", str(self.references), "--size", str(self.size)),
            *("--concurrency", str(self.concurrency), *arguments),
            cwd=servers.ROOT,
        )
        measured = Measured(**json.loads(output))
        self.tell(" ".join((module, *arguments[:2])), latency_ms, measured)
        return measured

    def tell(self, contender: str, latency_ms: float, measured: Measured) -> None:
        """Print the figures of a drain."""
        efficiency = "" if measured.efficiency is None else f", efficiency {measured.efficiency:.4f}"
        self.say(
            f"  {contender} at {latency_ms:g} ms: {measured.seconds:.3f} s, {measured.cpu_seconds:.2f} s of processor, "
            f"{measured.references_per_second:,.0f} references/s{efficiency}"
        )
