"""The settings of flow control that an operator may need to change; docs/reference/settings.md lists them.

Everything else in flow control is a constant, with its range, beside the policies in `jobs/flow/`.
"""

from pydantic import BaseModel, Field

from cancellist.jobs.flow.batch_size import ListSearch, ListSizePolicy
from cancellist.jobs.flow.circuit_breaker import BreakerPolicy
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy
from cancellist.jobs.flow.controller import FlowPolicy


class FlowSettings(BaseModel):
    """Settings of flow control. The defaults suit most platforms."""

    limit_initial: int = Field(
        16, ge=1, le=1000,
        description="calls in flight to begin with where no limit is known, if MAX_CONCURRENT_CALLS allows it",
    )  # fmt: skip
    limit_stale_ms: int = Field(
        60000, ge=5000, le=3600000,
        description="milliseconds after which a limit, or a learnt rate, that no call has confirmed is unknown again",
    )  # fmt: skip
    size_explore_every: int = Field(
        200,
        ge=50,
        le=100000,
        description="list calls for each that tries another size, or again one that was too long (413)",
    )
    breaker_threshold: int = Field(
        5, ge=1, le=1000,
        description="failures in a row, over all workers, that open the breaker",
    )  # fmt: skip
    breaker_outage_first_ms: int = Field(
        250, ge=10, le=60000,
        description="milliseconds before the first probe of an outage, doubled by each that fails",
    )  # fmt: skip
    breaker_outage_most_ms: int = Field(
        3000, ge=10, le=60000,
        description="milliseconds between probes of an outage at most",
    )  # fmt: skip
    breaker_denied_first_ms: int = Field(
        1000, ge=10, le=600000,
        description="milliseconds before the first probe after a refused key, doubled by each that fails",
    )  # fmt: skip
    breaker_denied_most_ms: int = Field(
        60000, ge=10, le=600000,
        description="milliseconds between probes of a refused key at most",
    )  # fmt: skip
    breaker_settled_ms: int = Field(
        10000, ge=0, le=600000,
        description="milliseconds after which a closed breaker forgets how often it was probed",
    )  # fmt: skip
    breaker_settled_calls: int = Field(20, ge=1, le=100000, description="or accepted calls after which it does")

    @property
    def list_search(self) -> ListSearch:
        """How the longest accepted list is searched for after a list was too long (413)."""
        return ListSearch(look_every=self.size_explore_every)

    def flow_policy(self, *, ceiling: int, max_references: int, interval_us: int) -> FlowPolicy:
        """Returns the policy of an account.

        Args:
            ceiling: most calls in flight.
            max_references: most references in a call.
            interval_us: microseconds between calls; 0 without a rate limit.
        """
        return FlowPolicy(
            ceiling=ceiling,
            max_references=max_references,
            interval_us=interval_us,
            limiter=ConcurrencyPolicy(initial=self.limit_initial, stale_ms=self.limit_stale_ms),
            list_size=ListSizePolicy(explore_every=self.size_explore_every),
            breaker=BreakerPolicy(
                threshold=self.breaker_threshold,
                outage_first_ms=self.breaker_outage_first_ms,
                outage_most_ms=self.breaker_outage_most_ms,
                denied_first_ms=self.breaker_denied_first_ms,
                denied_most_ms=self.breaker_denied_most_ms,
                settled_ms=self.breaker_settled_ms,
                settled_calls=self.breaker_settled_calls,
            ),
        )
