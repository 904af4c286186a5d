"""Merges the samples of jobs that share an account's calls, as if they were one job."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.throughput import START


def merged(jobs: Iterable[tuple[Sequence[ResultSample], int]]) -> tuple[list[ResultSample], int]:
    """All samples in the order of their times, and the present time, both on the longest-running job's clock.

    Args:
        jobs: for each job its samples, oldest first, and the present time on its own clock.
    """
    known = list(jobs)
    now_ms = max((clock for _, clock in known), default=0)
    rises = [
        (job, rise) for job, (samples, clock) in enumerate(known) for rise in _rises(samples, now_ms - clock)
    ]  # fmt: skip
    in_calls = [0] * len(known)
    total, kept = START, []
    for job, rise in sorted(rises, key=lambda one: one[1].at_ms):
        in_calls[job] = rise.in_calls or in_calls[job]
        if not rise.count:
            continue
        total = ResultSample(
            rise.at_ms, total.count + rise.count, total.sum_ms + rise.sum_ms, calls=total.calls + rise.calls
        )
        kept.append(replace(total, in_calls=sum(in_calls)))
    return kept, now_ms


def _rises(samples: Sequence[ResultSample], later_ms: int) -> Iterable[ResultSample]:
    """The increase from each sample to the next, on a clock that is ahead by `later_ms`.

    The first item has the references that were in calls as the job began.
    """
    yield ResultSample(later_ms, 0, 0, next((sample.in_calls for sample in samples if sample.in_calls), 0))
    for before, after in pairwise([START, *samples]):
        count = after.count - before.count
        sum_ms = after.sum_ms - before.sum_ms + count * later_ms
        yield ResultSample(after.at_ms + later_ms, count, sum_ms, after.in_calls, max(0, after.calls - before.calls))
