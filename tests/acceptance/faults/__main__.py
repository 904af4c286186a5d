"""`make faults`: plays schedules of faults for a time, prints a table, and fails where anything was lost or wrong."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.acceptance.faults.harness.schedule import Report, play
from tests.acceptance.faults.harness.system import LEASE_S
from tests.support.servers import KINDS

ROUND_S = 120.0


def main() -> int:
    """Plays one round after another, on each kind of server in turn."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=ROUND_S, help="for how long faults are injected, in all")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="of the first round")
    parser.add_argument("--kind", choices=KINDS, help="one kind of server only")
    asked = parser.parse_args()
    kinds, reports, left, seed = (asked.kind,) if asked.kind else KINDS, [], asked.seconds, asked.seed
    while left > 0:
        print(f"seed {seed} on {kinds[len(reports) % len(kinds)]}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            played = play(kinds[len(reports) % len(kinds)], Path(folder), seed, min(ROUND_S, left), away_s=15.0)
            reports.append(asyncio.run(played))
        left, seed = left - ROUND_S, seed + 1
    return table(reports)


def table(reports: list[Report]) -> int:
    """Prints what was shown; answers the exit status."""
    faults: Counter[str] = sum((report.faults for report in reports), Counter())
    strikes: Counter[str] = sum((report.strikes for report in reports), Counter())
    cuts: Counter[str] = sum((report.cuts for report in reports), Counter())
    for counter, total in ((faults, "faults"), (strikes, "requests struck"), (cuts, "connections cut")):
        for name, count in sorted(counter.items()):
            print(f"  {name:<26}{count:>10}")
        print(f"{total:<28}{counter.total():>10}")
    takeovers = [takeover for report in reports for takeover in report.takeovers]
    slowest = max(takeovers, default=0.0)
    lost, doubled = sum(report.lost for report in reports), sum(report.doubled for report in reports)
    wrong = [words for report in reports for words in report.wrong]
    print(f"{'references':<28}{sum(report.references for report in reports):>10}")
    print(f"{'lost':<28}{lost:>10}\n{'doubled':<28}{doubled:>10}\n{'wrong':<28}{len(wrong):>10}")
    print(f"{'slowest takeover':<28}{slowest:>9.2f}s (of {len(takeovers)}; lease {LEASE_S} s)")
    for words in wrong[:20]:
        print(words)
    return 0 if all(report.holds for report in reports) and slowest <= LEASE_S + 1 else 1


if __name__ == "__main__":
    sys.exit(main())
