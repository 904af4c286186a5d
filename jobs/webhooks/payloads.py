"""Events: what an endpoint is told, and an id that stays the same when it is told again."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.times import parse_when_ms, rfc3339
from cancellist.jobs.webhooks.endpoint import TEST, EventType

MOST_RESULTS: Final = 100
"""Results in one event."""
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one endpoint.

    Attributes:
        id: the same for the same event, whenever it is made.
        job: the job that it tells of.
        body: what is sent, before it is written as JSON.
    """

    id: str
    type: str
    job: str | None
    body: Document


def job_ended(endpoint: str, document: Document, finished_at_ms: int) -> Event:
    """A job has ended; `document` is what `GET /v1/jobs/{job}` answers."""
    return _event(endpoint, EventType.JOB_ENDED, document["job"], finished_at_ms, document, document["job"])


def job_approval_wanted(endpoint: str, document: Document, number: int, at_ms: int) -> Event:
    """A job must be approved. Each time is another event: `number` counts them."""
    return _event(
        endpoint, EventType.JOB_APPROVAL_WANTED, document["job"], at_ms, document, document["job"], str(number)
    )


def job_halted(endpoint: str, document: Document, number: int, at_ms: int) -> Event:
    """A job has halted; `number` tells one halt of it from the next."""
    return _event(endpoint, EventType.JOB_HALTED, document["job"], at_ms, document, document["job"], str(number))


@dataclass(frozen=True, slots=True)
class ResultEntry:
    """A result, the entry of the results stream that it is, and its document."""

    entry: str
    job: str
    at_ms: int
    document: Document


def job_results(endpoint: str, found: Sequence[ResultEntry]) -> Iterator[Event]:
    """Events of results, in their order: each of one job and of at most 100 results."""
    for batch in _batches(found):
        data = {"job": batch[0].job, "results": [one.document for one in batch]}
        parts = [one.entry for one in batch]
        yield _event(endpoint, EventType.JOB_RESULTS, batch[0].job, batch[-1].at_ms, data, *parts)


def receipt_created(endpoint: str, document: Document) -> Event:
    """A receipt was made; `document` is the receipt. The event has the fields that chain it to the one before."""
    job, names = document["job"], ("namespace", "number", "digest", "previous", "signed_by")
    data = {"job": job["job"], "account": job["account"], **{name: document[name] for name in names}}
    made_at_ms = parse_when_ms(document["made_at"], now_ms=0)
    return _event(endpoint, EventType.RECEIPT_CREATED, job["job"], made_at_ms, data, document["digest"])


def test(endpoint: str, nonce: str, now_ms: int) -> Event:
    """An event that tells nothing but that deliveries arrive."""
    return _event(endpoint, TEST, None, now_ms, {"webhook": endpoint}, nonce)


def _batches(found: Sequence[ResultEntry]) -> Iterator[list[ResultEntry]]:
    of_job: dict[str, list[ResultEntry]] = {}
    for one in found:
        of_job.setdefault(one.job, []).append(one)
    for results in of_job.values():
        for at in range(0, len(results), MOST_RESULTS):
            yield results[at : at + MOST_RESULTS]


def _event(endpoint: str, kind: str, job: str | None, at_ms: int, data: Document, *parts: str) -> Event:
    digest = hashlib.sha256("\n".join([endpoint, kind, *parts]).encode()).hexdigest()[:24]
    return Event(f"msg_{digest}", kind, job, {"type": kind, "timestamp": rfc3339(at_ms), "data": data})
