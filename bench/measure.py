"""The task and the figures of a drain, the same for every contender.

A contender is a script of its own process: it takes the options of `task_parser` and prints one line of JSON:
`{"calls", "references", "seconds", "references_per_second", "efficiency", "cpu_seconds"}`, where `seconds` runs from
the first call to the last result and `efficiency` is the ideal time (calls / concurrency * latency) / `seconds`, or
null without a latency.
"""

import argparse
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measured:
    """One drain's figures; `cpu_seconds` is its process's time, including a contender's start."""

    calls: int
    references: int
    seconds: float
    references_per_second: float
    efficiency: float | None
    cpu_seconds: float

    def as_json(self) -> str:
        """Return the line that the contender prints."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Task:
    """One drain: the number of references, the batch size, the latency, and the calls in flight."""

    url: str
    redis_url: str | None
    references: int
    size: int
    latency_s: float
    concurrency: int

    def measured(self, calls: int, seconds: float, cpu_seconds: float) -> Measured:
        """Return the figures of a drain by its duration and its process's processor time."""
        ideal_s = calls / self.concurrency * self.latency_s
        return Measured(
            calls=calls,
            references=self.references,
            seconds=seconds,
            references_per_second=self.references / seconds,
            efficiency=ideal_s / seconds if ideal_s else None,
            cpu_seconds=cpu_seconds,
        )


def task_parser(description: str, *, redis: bool = False) -> argparse.ArgumentParser:
    """Return the parser of a task's options, with a server's URL where the contender writes results."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True, help="the platform's base URL")
    parser.add_argument("--redis-url", required=redis, help="the server that results are written to")
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=100, help="references in a list")
    parser.add_argument("--latency-ms", type=float, required=True, help="the platform's, for the ideal time")
    parser.add_argument("--concurrency", type=int, default=16, help="calls in flight")
    return parser


def task_of(options: argparse.Namespace) -> Task:
    """Return the task of the parsed options."""
    return Task(
        url=options.url.rstrip("/"),
        redis_url=options.redis_url,
        references=options.references,
        size=options.size,
        latency_s=options.latency_ms / 1000,
        concurrency=options.concurrency,
    )
