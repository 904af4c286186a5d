"""How fast a job goes and how long it will take, from the samples that the ledger keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_MS = 10_000
"""Samples older than this say nothing about the present rate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Results per second over the last seconds, and seconds until the last one; None where neither can be said."""

    rate: float | None
    eta_s: float | None


def progress(
    *,
    total: int,
    settled: int,
    started_at_ms: int | None,
    finished_at_ms: int | None,
    samples: Sequence[tuple[int, int]],
    now_ms: int,
) -> Progress:
    """Reckons the rate over the last ten seconds, or over the whole of an ended or young job.

    Args:
        total: references of the job.
        settled: those that have their result.
        started_at_ms: when its first references were taken.
        finished_at_ms: when its last result was written.
        samples: (time, settled then), in ms, oldest first, about one a second.
        now_ms: by the server's clock.
    """
    if finished_at_ms is not None:
        return Progress(_rate(settled, finished_at_ms - (started_at_ms or finished_at_ms)), 0.0)
    if started_at_ms is None:
        return Progress(None, None)
    base_ms, base = started_at_ms, 0
    for at_ms, count in samples:
        if at_ms <= now_ms - WINDOW_MS:
            base_ms, base = at_ms, count
    rate = _rate(settled - base, now_ms - base_ms)
    if not rate:
        return Progress(rate, None)
    return Progress(rate, (total - settled) / rate)


def _rate(count: int, span_ms: int) -> float | None:
    return count / (span_ms / 1000) if span_ms > 0 else None
