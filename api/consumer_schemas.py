"""The documents of consumer groups, as the API's description has them; jobs/ledger/views/json_views.py makes them."""

from pydantic import Field

from cancellist.api.schemas import JsonDocument, Time


class Consumer(JsonDocument):
    """One reader of a consumer group."""

    consumer: str
    pending: int
    idle_seconds: int = Field(description="since it last asked for anything")


class ConsumerGroup(JsonDocument):
    """A consumer group of the results stream."""

    group: str
    lag: int | None = Field(description="results that were not delivered to it; null where the server cannot tell")
    pending: int = Field(description="results that were delivered and not acknowledged")
    oldest_pending_at: Time | None
    oldest_pending_seconds: int | None
    last_delivered: str = Field(description="the stream's entry that was delivered last")
    holds_up_trimming: bool = Field(description="results are kept for it that would have been trimmed")
    held_up_seconds: int
    consumers: list[Consumer]


class ConsumerGroups(JsonDocument):
    """Every consumer group of the results stream."""

    groups: list[ConsumerGroup]
