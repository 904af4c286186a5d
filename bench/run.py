"""Runs the benchmarks and prints one table.

    python bench/run.py [NAME...] [--json] [--repeats 5] [--references 100000] [--latency-ms 50] [--concurrency 16]
                        [--queued 1000000]

Without names it runs them all, in the order of `BENCHMARKS`. Progress goes to stderr, the table to stdout. Exit
status: 0 where every target was reached, 1 where one was not or a benchmark failed.
"""

import argparse
import importlib
import os
import platform
import signal
import sys
import traceback
from typing import Any

import uvloop

from bench.context import Context
from bench.servers import server_version
from bench.table import SHORT, Row, as_json, as_text

BENCHMARKS = {  # name: module with `async def run(context) -> list[Row]`
    "drain": "bench.drain",
    "submit": "bench.submit",
    "reading": "bench.reading",
    "memory": "bench.memory",
    "scripts": "bench.scripts",
    "intake": "bench.intake",
    "refusals": "bench.refusals",
    "safeguards": "bench.safeguards",
    "finding": "bench.finding",
    "webhooks": "bench.webhooks",
    "posting": "bench.posting",
    "crowd": "bench.crowd",
}


async def run(names: list[str], context: Context) -> bool:
    """Run the named benchmarks one after another; return whether all of them ran to their end."""
    whole = True
    for name in names:
        context.say(f"{name}:")
        try:
            context.rows += await importlib.import_module(BENCHMARKS[name]).run(context)
        except Exception:  # noqa: BLE001 - the others' figures are wanted all the same
            traceback.print_exc()
            whole = False
    return whole


def machine() -> dict[str, Any]:
    """Return the facts on which the figures depend."""
    return {
        "cpus": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "server": server_version(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the benchmarks and prints one table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON document in place of the table")
    parser.add_argument("--repeats", type=int, default=5, help="samples of each figure")
    parser.add_argument("--queued", type=int, default=1_000_000, help="references queued where the backlog matters")
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--concurrency", type=int, default=16, help="calls in flight")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark of the name {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    context = Context(
        references=options.references,
        latency_ms=options.latency_ms,
        concurrency=options.concurrency,
        repeats=options.repeats,
        queued=options.queued,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers end with us
    before = machine()
    whole = uvloop.run(run(options.names or list(BENCHMARKS), context))
    rows = list(context.rows)
    if context.steadiness_ms:
        rows.append(Row("this machine: a fixed piece of work", "ms", tuple(context.steadiness_ms)))
    if options.json:
        print(as_json(rows, before))
    else:
        print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in before.items()))
        print(f"{context.references:,} references, {context.latency_ms:g} ms, {context.concurrency} calls in flight\n")
        print(as_text(rows))
    return 0 if whole and not any(row.verdict == SHORT for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
