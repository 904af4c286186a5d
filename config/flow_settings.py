"""The settings of flow control that an operator may need to change; docs/reference/settings.md lists them.

Everything else in flow control is a constant, with its range, beside the policies in `jobs/flow/`.
`worker/flow_policy.py` makes policies of both.
"""

from pydantic import BaseModel, ConfigDict, Field


class FlowSettings(BaseModel):
    """Settings of flow control. The defaults suit most platforms."""

    model_config = ConfigDict(defer_build=True)  # it is built as a part of Settings

    limit_initial: int = Field(
        16,
        ge=1,
        le=1000,
        description="calls in flight to begin with, while no limit is known and as far as MAX_CONCURRENT_CALLS "
        "allows; lower it for a weak platform",
    )
    limit_stale_ms: int = Field(
        60000,
        ge=5000,
        le=3600000,
        description="milliseconds after which a limit, or a learnt rate, that no call has confirmed is forgotten; "
        "lower it where the platform's capacity changes often",
    )
    size_explore_every: int = Field(
        200,
        ge=50,
        le=100000,
        description="list calls for each that tries another size, or again one that was too long (413); lower it to "
        "find the best size sooner",
    )
    breaker_threshold: int = Field(
        5,
        ge=1,
        le=1000,
        description="failures in a row, over all workers, that open the breaker; raise it where single failures are "
        "usual",
    )
    breaker_outage_first_ms: int = Field(
        250,
        ge=10,
        le=60000,
        description="milliseconds before the first probe of an outage; each probe that fails doubles it",
    )
    breaker_outage_most_ms: int = Field(
        3000,
        ge=10,
        le=60000,
        description="most milliseconds between two probes of an outage; lower it to notice its end sooner",
    )
    breaker_denied_first_ms: int = Field(
        1000,
        ge=10,
        le=600000,
        description="milliseconds before the first probe after a refused key; each probe that fails doubles it",
    )
    breaker_denied_most_ms: int = Field(
        60000,
        ge=10,
        le=600000,
        description="most milliseconds between two probes of a refused key; lower it to notice a new key sooner",
    )
    breaker_settled_ms: int = Field(
        10000,
        ge=0,
        le=600000,
        description="milliseconds after which a closed breaker forgets its failed probes, and begins anew with short "
        "pauses",
    )
    breaker_settled_calls: int = Field(
        20,
        ge=1,
        le=100000,
        description="accepted calls after which a closed breaker forgets its failed probes; lower it for shorter "
        "pauses",
    )
