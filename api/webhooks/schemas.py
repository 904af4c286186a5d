"""The documents of webhooks, as the description of the API has them; api/webhooks/endpoints.py makes them."""

from pydantic import Field

from cancellist.api.schemas import JsonDocument, Time
from cancellist.jobs.model import Outcome
from cancellist.jobs.webhooks.endpoint import DeliveryState, EndpointState, EventType


class Webhook(JsonDocument):
    """Where events are sent, and how that goes. The URL is shown without what may be secret in it."""

    webhook: str = Field(description="its id")
    url: str
    on: list[EventType]
    outcomes: list[Outcome] = Field(description="of `job.results`, those that are told; empty for all")
    account: str | None = Field(description="only of this account; null: of all")
    state: EndpointState
    why: str | None = Field(description="why it is disabled")
    created_at: Time
    secret_version: int
    rotated_at: Time | None
    waiting: int = Field(description="deliveries that are still to succeed")
    delivered: int
    failed: int = Field(description="deliveries that were given up")
    delivered_at: Time | None
    failing_since: Time | None = Field(description="since when nothing was delivered, where the last attempt failed")
    jobs_missed: int = Field(description="ends of jobs whose records were gone before they were told")
    results_missed_from: Time | None = Field(description="results since then were trimmed before they were told")
    results_missed_to: Time | None


class Webhooks(JsonDocument):
    """Every webhook."""

    webhooks: list[Webhook]


class WebhookSecret(Webhook):
    """A webhook and its secret, which is shown this once."""

    secret: str = Field(description="what its requests are signed with (Standard Webhooks, symmetric)")


class WebhookDelivery(JsonDocument):
    """One event for one webhook."""

    delivery: str = Field(description="its id: the `webhook-id` of every attempt")
    type: str
    job: str | None
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="HTTP status of the last answer")
    why: str | None = Field(description="why the last attempt failed")
    created_at: Time
    tried_at: Time | None
    due_at: Time | None = Field(description="when it is tried next; null once it waits no more")


class WebhookDeliveries(JsonDocument):
    """A page of deliveries, newest first."""

    deliveries: list[WebhookDelivery]
    next: str | None = Field(description="the cursor of the page that follows; null where none does")


class WebhookReplay(JsonDocument):
    """What is sent once more."""

    webhook: str
    deliveries: int | None = Field(description="how many deliveries; null with `since`")
    since: Time | None = Field(description="all events since then; null without `since`")
