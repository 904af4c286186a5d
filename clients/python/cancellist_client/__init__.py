"""Hands cancellations to cancellist, and reads their results.

>>> with Client("https://cancellist.example.com", token=token) as client:
...     job = client.submit(["EC-CW1-GQV-O9G"], reason="order withdrawn").wait(timeout=60)
...     for result in job.results():
...         print(result.reference, result.outcome)

`AsyncClient` is the same for asyncio.
"""

from cancellist_client._async.client import AsyncClient
from cancellist_client._async.consumer import AsyncConsumer
from cancellist_client._async.job import AsyncJob
from cancellist_client._sync.client import Client
from cancellist_client._sync.consumer import Consumer
from cancellist_client._sync.job import Job
from cancellist_client.errors import (
    ApiError,
    AuthError,
    CancellistError,
    FieldError,
    GroupGone,
    IdempotencyConflict,
    InProgress,
    InputError,
    JobHalted,
    JobStateError,
    JobTimeout,
    NotFound,
    RateLimited,
    ResultsGone,
    ServerUnavailable,
    TlsError,
    TransportError,
    UnsupportedError,
)
from cancellist_client.models import JobState, JobStatus, Mention, Mentions, Outcome, Priority, Result

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncConsumer",
    "AsyncJob",
    "AuthError",
    "CancellistError",
    "Client",
    "Consumer",
    "FieldError",
    "GroupGone",
    "IdempotencyConflict",
    "InProgress",
    "InputError",
    "Job",
    "JobHalted",
    "JobState",
    "JobStateError",
    "JobStatus",
    "JobTimeout",
    "Mention",
    "Mentions",
    "NotFound",
    "Outcome",
    "Priority",
    "RateLimited",
    "Result",
    "ResultsGone",
    "ServerUnavailable",
    "TlsError",
    "TransportError",
    "UnsupportedError",
]
