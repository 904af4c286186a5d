"""The settings of flow control that an operator may need to change; docs/reference/settings.md lists them.

Everything else in flow control is a constant, with its range, beside the policies in `jobs/flow/`.
`worker/flow_policy.py` makes policies of both.
"""

from pydantic import BaseModel, ConfigDict, Field


class FlowSettings(BaseModel):
    """Settings of flow control. The defaults suit most platforms."""

    model_config = ConfigDict(defer_build=True)  # it is built as a part of Settings

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
