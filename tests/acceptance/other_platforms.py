"""Platforms that the vendor's documents leave possible, with faults of every kind, and results held to the record.

    python -m tests.acceptance.other_platforms --seeds 10

plays each platform with ten seeds and 20,000 references each; `make truth` does that. Exit status 1 where a result
disagrees with the platform's own record.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cancellist.jobs.model import Outcome, Result
from cancellist.sandbox.faults.kinds import APPLIES, FaultKind, Scope
from tests.support.servers import running
from tests.support.stage import LEASE_S, Stage, all_results, ended, platform, submit

PLATFORMS: Mapping[str, Mapping[str, object]] = {
    "generic words": {"refusal_words": "generic"},
    "words that name states": {"refusal_words": "state"},
    "manifested cancellable": {"manifested_cancellable": True, "refusal_words": "generic"},
    "strict": {"strict": True, "refusal_words": "code"},
    "ready to ship refused": {"ready_to_ship_refused": True, "refusal_words": "generic"},
}
MIX = (
    "Allocated=70,ReadyToShip=5,Manifested=7,Dispatched=2,InTransit=2,InTransitWaiting=2,Delivered=4,Cancelled=6,"
    "Unallocated=2"
)
LATE = ("500-late", "503-late", "504-late", "close-late", "timeout-late")
NOT_MIXED = frozenset({"401", "403", "slow", "state-unknown", "in-string", "by-reference", "huge"})
"""Denials stop the account, `slow` only takes time, an unknown state is told as such; `huge` costs too much of both."""
UNDECIDED = frozenset({Outcome.UNCONFIRMED, Outcome.FAILED})
CANCELLED, OPEN = "Cancelled", frozenset({"Allocated", "ReadyToShip", "Unallocated"})


def faults(share: float = 0.4, of_reads: float = 0.2) -> dict[str, float]:
    """Every fault that a list, a lone call and a read can have, with calls that act late more often."""
    mixed: dict[str, float] = {}
    for scope, part in ((Scope.LIST, share), (Scope.SINGLE, share), (Scope.READS, of_reads)):
        kinds = [kind for kind in FaultKind if kind in APPLIES[scope] and kind not in NOT_MIXED]
        drawn = Counter([*kinds, *(kind for kind in kinds if kind in LATE)])
        mixed |= {f"{scope}:{kind}": part * times / drawn.total() for kind, times in drawn.items()}
    return mixed


@contextlib.contextmanager
def staged(name: str, folder: Path, seed: int, *, share: float = 0.4) -> Iterator[Stage]:
    """A stage with one of the platforms, at which almost every second call goes wrong."""
    with (
        running("valkey", folder) as server,
        platform(folder, seed=seed, mix=MIX, latency_ms=5) as world,
    ):
        settings = {"faults": faults(share), "hang_ms": 3000, "late_ms": 700, "stale_s": 60}
        world.send("PUT", "/sandbox/settings", settings | PLATFORMS[name])
        limits = {
            "max_concurrent_calls": "16", "lease_seconds": str(LEASE_S), "call_timeout": "1", "retry_base": "0.05",
            "retry_cap": "0.5", "max_attempts": "12", "breaker_outage_most_ms": "500",
        }  # fmt: skip
        with Stage(server, world, folder, limits) as stage:
            yield stage


async def drained(stage: Stage, count: int, seed: int, within_s: float) -> tuple[list[Result], dict[str, Any]]:
    """Has a job done to its end; answers its results, and the platform's record of its references."""
    references = stage.platform.references(count - count // 50, unknown=count // 50)
    random.Random(seed).shuffle(references)
    stage.worker()
    async with stage.ledger() as ledger:
        job = await submit(ledger, references)
        await ended(ledger, job, within_s)
        found = await all_results(ledger, job)
    assert Counter(r.reference for r in found) == Counter(references)
    return found, stage.platform.record(references)


def disagreeing(found: Sequence[Result], record: Mapping[str, dict[str, Any]]) -> list[tuple[Result, dict[str, Any]]]:
    """Results that say what the record contradicts, each with the record's row."""
    return [(result, record[result.reference]) for result in found if not _agrees(result, record[result.reference])]


def _agrees(result: Result, row: Mapping[str, Any]) -> bool:
    """Whether a result is what really happened. A call may have acted though nobody was told: then it may be either."""
    state, ours = row["state"], row["cancelled_by_call"] is not None
    match result.outcome:
        case Outcome.CANCELLED:  # what was cancelled before may be found so after an unclear call of this job
            return ours or state == CANCELLED
        case Outcome.ALREADY_CANCELLED:
            return state == CANCELLED and not ours
        case Outcome.MANIFESTED:
            return state is not None and state not in OPEN | {CANCELLED}
        case Outcome.NOT_FOUND:
            return state is None
        case Outcome.REJECTED:
            return state in OPEN
        case Outcome.FAILED:
            return state != CANCELLED
        case _:
            return result.outcome is Outcome.UNCONFIRMED


def main() -> int:
    """Plays every platform with one seed after another, and prints what disagrees."""
    parser = argparse.ArgumentParser(prog="make truth", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many, for each platform")
    parser.add_argument("--references", type=int, default=20_000, help="of each job")
    parser.add_argument("--only", choices=PLATFORMS, help="one platform only")
    asked, wrong = parser.parse_args(), 0
    for name in [asked.only] if asked.only else PLATFORMS:
        for seed in range(1, asked.seeds + 1):
            with tempfile.TemporaryDirectory() as folder, staged(name, Path(folder), seed) as stage:
                found, record = asyncio.run(drained(stage, asked.references, seed, 600))
            bad, outcomes = disagreeing(found, record), Counter(str(r.outcome) for r in found)
            wrong += len(bad)
            print(f"{name}, seed {seed}: {len(bad)} disagree; {dict(outcomes)}", flush=True)
            for result, row in bad[:5]:
                print(f"  {result}\n  {row}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
