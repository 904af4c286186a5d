"""The constants of flow control as settings; docs/settings.md has them in one table."""

from dataclasses import fields
from typing import TypeVar

from pydantic import BaseModel, Field

from cancellist.jobs.flow.batch_size import ListSearch, ListSizePolicy
from cancellist.jobs.flow.circuit_breaker import BreakerPolicy
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.flow.latency import RoundTripPolicy
from cancellist.jobs.flow.rate.state import PacingPolicy

_Policy = TypeVar("_Policy", ConcurrencyPolicy, RoundTripPolicy, PacingPolicy, ListSizePolicy, BreakerPolicy)


class FlowSettings(BaseModel):
    """How limits are found; the defaults suit most platforms."""

    limit_initial: int = Field(
        16, ge=1, le=1000,
        description="calls in flight to begin with where no limit is known, if MAX_CONCURRENT_CALLS allows it",
    )  # fmt: skip
    limit_stale_ms: int = Field(
        60000, ge=5000, le=3600000,
        description="milliseconds after which a limit, or a learnt rate, that no call has confirmed is unknown again",
    )  # fmt: skip
    limit_decrease: float = Field(
        0.9, ge=0.5, le=0.99,
        description="what is left of the limit of calls in flight after refusals within one round trip",
    )  # fmt: skip
    limit_growth: float = Field(
        1.0, ge=0.1, le=10,
        description="added to the limit for each round trip in which it was reached",
    )  # fmt: skip
    limit_probe_after: int = Field(
        100, ge=10, le=10000,
        description="accepted calls that pay for one look at a limit that was refused",
    )  # fmt: skip
    limit_tolerated: float = Field(
        0.01, ge=0.0, le=0.05,
        description="the share of refusals that is taken for chance, at whatever limit",
    )  # fmt: skip
    limit_chance: float = Field(
        0.25, ge=0.0, le=0.5,
        description="the largest share of losses that is taken for chance once an experiment has shown "
        "that fewer calls at once lose as many",
    )  # fmt: skip
    limit_used: float = Field(
        0.9, ge=0.5, le=1.0,
        description="the share of the limit from which on, in flight, it is what holds calls back",
    )  # fmt: skip
    limit_debt: float = Field(
        1.5, ge=0, le=20,
        description="looks at a refused limit that are owed at most; twice as many among losses by chance",
    )  # fmt: skip
    limit_rounds: int = Field(
        2, ge=1, le=20,
        description="round trips that such a look lasts where none is lost by chance",
    )  # fmt: skip
    limit_certain: float = Field(
        4.0, ge=1.0, le=20,
        description="the logarithm of how much likelier a limit must be than chance before refusals lower it; "
        "half of that ends a look among losses by chance",
    )  # fmt: skip
    chance_margin: float = Field(
        1.25, ge=1.0, le=3.0,
        description="how many times the share of losses that was measured as chance is tolerated",
    )  # fmt: skip
    chance_evidence: int = Field(
        8, ge=3, le=100,
        description="losses by which their share is known well enough to begin an experiment",
    )  # fmt: skip
    chance_proof: float = Field(
        3.0, ge=1.0, le=20,
        description="losses beyond the doubtful that an experiment must show; a third more must be missing to "
        "refute it",
    )  # fmt: skip
    chance_least: float = Field(
        0.5, ge=0.1, le=0.9,
        description="what an experiment leaves of the limit at least; it takes half as much where chance is known",
    )  # fmt: skip
    chance_memory: int = Field(
        2000, ge=100, le=1000000,
        description="calls after which losses have nothing to do with those before",
    )  # fmt: skip
    chance_window: int = Field(
        20, ge=5, le=1000,
        description="losses to be expected in a window, by which chance is measured on",
    )  # fmt: skip
    chance_windows: int = Field(
        10, ge=1, le=1000,
        description="windows from one experiment to the next; two in five of them where a limit was refused",
    )  # fmt: skip
    chance_more: float = Field(
        1.5, ge=1.1, le=5.0,
        description="a window with so many times as many losses begins an experiment at once",
    )  # fmt: skip
    round_deviations: float = Field(
        2.5, ge=1.0, le=10,
        description="deviations above the usual from which a round trip is long",
    )  # fmt: skip
    round_growth: float = Field(
        0.15, ge=0.02, le=1.0,
        description="and the share of the usual by which it is longer at least",
    )  # fmt: skip
    round_growth_ms: int = Field(10, ge=0, le=1000, description="and the milliseconds by which it is longer at least")
    round_windows: int = Field(
        2, ge=1, le=10,
        description="long windows in a row after which fewer calls at once are tried",
    )  # fmt: skip
    trial_after_ms: int = Field(
        30000, ge=1000, le=3600000,
        description="milliseconds before fewer calls at once are tried unprovoked, doubled by each "
        "trial that gained nothing",
    )  # fmt: skip
    trial_most_ms: int = Field(240000, ge=1000, le=3600000, description="milliseconds between such trials at most")
    trial_rounds: int = Field(
        50, ge=1, le=10000,
        description="and round trips before such a trial at least",
    )  # fmt: skip
    trial_provoked: float = Field(
        0.9, ge=0.5, le=0.99,
        description="what a trial that long windows begin leaves of the limit",
    )  # fmt: skip
    trial_unprovoked: float = Field(
        0.85, ge=0.5, le=0.99,
        description="what any other trial leaves of it",
    )  # fmt: skip
    rate_margin: float = Field(
        0.96, ge=0.5, le=1.0,
        description="the share of a rate learnt from the platform that is used",
    )  # fmt: skip
    rate_step: float = Field(
        0.04, ge=0.01, le=0.5,
        description="the gentlest raise of a learnt rate that went well, as a share",
    )  # fmt: skip
    rate_steepest: float = Field(
        0.5, ge=0.1, le=4,
        description="the largest raise of a learnt rate while it is searched for anew, as a share",
    )  # fmt: skip
    rate_decrease: float = Field(
        0.06, ge=0.01, le=0.1,
        description="by how much a learnt rate that was refused is lowered, as a share, doubled by each "
        "further refusal in close succession",
    )  # fmt: skip
    rate_probe_after: int = Field(
        100, ge=20, le=100000,
        description="accepted calls between two raises of a learnt rate",
    )  # fmt: skip
    rate_probe_ms: int = Field(
        30000, ge=1000, le=600000,
        description="or the milliseconds, of a rate so slow that these calls take longer",
    )  # fmt: skip
    rate_slow_probe_after: int = Field(
        60, ge=5, le=10000,
        description="but of a slow rate so many calls, since one refusal among fewer is a large share",
    )  # fmt: skip
    rate_slow_probe_ms: int = Field(
        300000, ge=1000, le=3600000,
        description="unless those take so many milliseconds: the longest until a rate that was lifted is noticed",
    )  # fmt: skip
    rate_search_after: int = Field(
        20, ge=3, le=1000,
        description="accepted calls between raises while a rate is searched for",
    )  # fmt: skip
    rate_search_ms: int = Field(
        3000, ge=100, le=60000,
        description="or the milliseconds, of a rate so slow that these calls take longer",
    )  # fmt: skip
    rate_rest_ms: int = Field(
        30000, ge=0, le=600000,
        description="milliseconds between a refusal and the next raise of a learnt rate",
    )  # fmt: skip
    rate_slow_ms: int = Field(
        200, ge=10, le=60000,
        description="milliseconds between calls from which a learnt rate is slow",
    )  # fmt: skip
    rate_slowest_ms: int = Field(
        5000, ge=100, le=60000,
        description="milliseconds between calls at most while nothing is accepted",
    )  # fmt: skip
    rate_unbound_ms: int = Field(
        10000, ge=1000, le=600000,
        description="milliseconds after which a learnt rate that held no call back is dropped",
    )  # fmt: skip
    rate_memory_ms: int = Field(
        120000, ge=10000, le=3600000,
        description="milliseconds after which what was accepted counts half in the measurement of a rate",
    )  # fmt: skip
    rate_recurring_ms: int = Field(
        120000, ge=1000, le=3600000,
        description="milliseconds between two Retry-After that have nothing to do with each other, so that no "
        "rate is learnt",
    )  # fmt: skip
    rate_told_ms: int = Field(
        300000, ge=0, le=3600000,
        description="milliseconds after a Retry-After for which a few refusals without one are not taken to be "
        "for the rate",
    )  # fmt: skip
    rate_tolerated: float = Field(
        0.01, ge=0.001, le=0.05,
        description="the share of refusals without a Retry-After that is taken for chance beside a learnt rate",
    )  # fmt: skip
    rate_chance: float = Field(
        0.02, ge=0.001, le=0.05,
        description="and the largest share that is, where it was seen to last",
    )  # fmt: skip
    rate_spread_ms: int = Field(
        1000, ge=200, le=600000,
        description="milliseconds that calls take from which they are begun one after the other, where a limit "
        "was met",
    )  # fmt: skip
    rate_spread: float = Field(
        1.08, ge=1.01, le=100,
        description="so many times as often as they would end if they were spread evenly",
    )  # fmt: skip
    rate_certain: float = Field(
        4.0, ge=1.0, le=20,
        description="the logarithm of how much likelier than chance a rate that is too high must be before it "
        "is lowered",
    )  # fmt: skip
    size_gain: float = Field(
        0.08, ge=0.01, le=0.5,
        description="how much cheaper a reference must be in lists of another size for that size to be "
        "taken, as a share",
    )  # fmt: skip
    size_evidence: int = Field(3, ge=1, le=100, description="calls of another list size before it is judged")
    size_explore_every: int = Field(
        200,
        ge=50,
        le=100000,
        description="list calls for each that tries another size, or again one that was too long (413)",
    )
    size_near: float = Field(
        0.05, ge=0.001, le=1.0,
        description="the share of the longest list taken by which the shortest that was too long (413) is "
        "longer at most once the search between the two is over",
    )  # fmt: skip
    size_rarest: int = Field(
        8, ge=1, le=1024,
        description="times SIZE_EXPLORE_EVERY, the list calls for each that tries again one that was too long, "
        "at most, while such tries are in vain",
    )  # fmt: skip
    size_slow_ms: int = Field(
        250, ge=1, le=600000,
        description="lists that take more milliseconds are worth ten times as many tries",
    )  # fmt: skip
    size_memory: int = Field(50, ge=10, le=10000, description="calls of the list size in force by which it is judged")
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
        """How the longest list is searched for once one was too long."""
        return ListSearch(look_every=self.size_explore_every, near=self.size_near, rarest=self.size_rarest)

    def flow_policy(self, *, ceiling: int, max_references: int, interval_us: int) -> FlowPolicy:
        """The policy of an account with these bounds."""
        return FlowPolicy(
            ceiling=ceiling,
            max_references=max_references,
            interval_us=interval_us,
            limiter=self._policy(ConcurrencyPolicy, "limit_", "chance_"),
            trips=self._policy(RoundTripPolicy, "round_", "trial_", ""),
            pacing=self._policy(PacingPolicy, "rate_"),
            list_size=self._policy(ListSizePolicy, "size_"),
            breaker=self._policy(BreakerPolicy, "breaker_"),
        )

    def _policy(self, policy: type[_Policy], *prefixes: str) -> _Policy:
        """A policy whose constants are the settings of their names, behind the first of the prefixes that has it."""
        known = type(self).model_fields
        names = {field.name: [p + field.name for p in prefixes if p + field.name in known] for field in fields(policy)}
        return policy(**{name: getattr(self, found[0]) for name, found in names.items() if found})
