"""What policies of flow control the settings make."""

from cancellist.config.flow_settings import FlowSettings
from cancellist.jobs.flow.batch_size import ListSearch, ListSizePolicy
from cancellist.jobs.flow.circuit_breaker import BreakerPolicy
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy
from cancellist.jobs.flow.controller import FlowPolicy


def list_search(settings: FlowSettings) -> ListSearch:
    """How the longest list is searched for once one was too long."""
    return ListSearch(look_every=settings.size_explore_every)


def flow_policy(settings: FlowSettings, *, ceiling: int, max_references: int, interval_us: int) -> FlowPolicy:
    """The policy of an account with these bounds."""
    return FlowPolicy(
        ceiling=ceiling,
        max_references=max_references,
        interval_us=interval_us,
        limiter=ConcurrencyPolicy(initial=settings.limit_initial, stale_ms=settings.limit_stale_ms),
        list_size=ListSizePolicy(explore_every=settings.size_explore_every),
        breaker=BreakerPolicy(
            threshold=settings.breaker_threshold,
            outage_first_ms=settings.breaker_outage_first_ms,
            outage_most_ms=settings.breaker_outage_most_ms,
            denied_first_ms=settings.breaker_denied_first_ms,
            denied_most_ms=settings.breaker_denied_most_ms,
            settled_ms=settings.breaker_settled_ms,
            settled_calls=settings.breaker_settled_calls,
        ),
    )
