"""The JSON of endpoints and deliveries. A URL is shown without what may be secret in it."""

from typing import Any

from cancellist.jobs.model import Outcome
from cancellist.jobs.times import rfc3339
from cancellist.jobs.webhooks.endpoint import Delivery, Endpoint, EventType, shown_url


def endpoint_view(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as it stands."""
    wanted, missed = endpoint.wanted, endpoint.missed_ms
    return {
        "webhook": endpoint.id,
        "url": shown_url(wanted.url),
        "on": [kind for kind in EventType if kind in wanted.types],
        "outcomes": [outcome for outcome in Outcome if outcome in wanted.outcomes],
        "account": wanted.account,
        "state": endpoint.state,
        "why": endpoint.why,
        "created_at": rfc3339(endpoint.created_at_ms),
        "secret_version": endpoint.version,
        "rotated_at": rfc3339(endpoint.rotated_at_ms),
        "waiting": endpoint.waiting,
        "delivered": endpoint.delivered,
        "failed": endpoint.failed,
        "delivered_at": rfc3339(endpoint.delivered_at_ms),
        "failing_since": rfc3339(endpoint.failing_since_ms),
        "jobs_missed": endpoint.jobs_missed,
        "results_missed_from": rfc3339(missed[0]) if missed else None,
        "results_missed_to": rfc3339(missed[1]) if missed else None,
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """A delivery as it stands; never what the receiver has answered."""
    return {
        "delivery": delivery.id,
        "type": delivery.type,
        "job": delivery.job,
        "state": delivery.state,
        "attempts": delivery.tries,
        "status": delivery.status,
        "why": delivery.why,
        "created_at": rfc3339(delivery.created_at_ms),
        "tried_at": rfc3339(delivery.tried_at_ms),
        "due_at": rfc3339(delivery.due_at_ms),
    }


def registered_view(endpoint: Endpoint, secret: str) -> dict[str, Any]:
    """An endpoint and its secret, which is shown this once."""
    return {**endpoint_view(endpoint), "secret": secret}
