"""What happened between two readings of the drains' counters, over all drains.

sample = sum over drains of (reading now - reading last seen)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cancellist.jobs.flow.counters import Counters


@dataclass(frozen=True, slots=True)
class FlowSample:
    """What happened between two readings, over all drains, and how many calls are in flight now.

    `why` is of a drain to which something went wrong since; `run` is the sum of the drains' runs.
    """

    at_ms: int
    since_ms: int
    in_flight: int
    counts: Counters

    @property
    def span_ms(self) -> int:
        """For how long the sample was taken."""
        return max(0, self.at_ms - self.since_ms)


def sample(
    drains: Mapping[str, Counters], seen: Mapping[str, Counters], in_flight: int, since_ms: int, at_ms: int
) -> FlowSample:
    """What happened since the counters `seen`; a drain that is no longer there counts for nothing."""
    total = Counters()
    for name, counters in sorted(drains.items()):
        came = counters.since(seen.get(name))
        wrong = came.denied or came.failed or came.timed_out or came.refused
        total = total.plus(came if wrong else replace(came, why=""))
    return FlowSample(at_ms, since_ms, max(0, in_flight), total)
