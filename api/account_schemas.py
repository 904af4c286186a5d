"""The documents of accounts, as the API's description has them; jobs/ledger/views/json_views.py makes them."""

from typing import Literal

from pydantic import Field

from cancellist.api.schemas import AllStopped, Breaker, JsonDocument, Time


class Called(JsonDocument):
    """A host that workers call."""

    host: str
    environment: Literal["sandbox", "production"]


class Account(JsonDocument):
    """An account as it stands; what the settings at hand do not say is null."""

    account: str
    state: str = Field(description="running, stopped with all others, new_host, paused, tripped or held")
    paused: bool = Field(description="on its own, whether all accounts are stopped or not")
    all_stopped: AllStopped | None
    platform: str | None
    called: list[Called] = Field(description="the hosts that its workers call")
    new_host: str | None = Field(description="a host that nobody has confirmed yet, so that no call goes there")
    key: bool | None
    max_concurrent_calls: int | None
    max_calls_per_second: float | None
    burst: int | None
    max_references_per_call: int | None
    limit: int | None
    calls_per_second: float | None
    list_size: int | None
    list_refused: int | None
    breaker: Breaker | None
    breaker_opened: int
    held_until: Time | None
    held_because: str | None
    calls_in_flight: int
    workers: int


class Accounts(JsonDocument):
    """Every account."""

    accounts: list[Account]
