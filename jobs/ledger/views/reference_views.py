"""The JSON of an answer about a reference. It is apart from json_views.py, which every command needs."""

from typing import Any

from cancellist.jobs.ledger.references.mentions import Mention, Mentions
from cancellist.jobs.ledger.views.json_views import result_view
from cancellist.jobs.times import rfc3339


def references_view(reference: str, answer: Mentions) -> dict[str, Any]:
    """The jobs that named a reference as JSON, without the cursor of the next page."""
    gap = answer.gap
    return {
        "reference": reference,
        "jobs": [_mention_view(one) for one in answer.mentions],
        "complete": answer.complete,
        "gap": {"from": rfc3339(gap.from_ms), "to": rfc3339(gap.to_ms)} if gap else None,
        "unsearched": answer.unsearched,
    }


def _mention_view(one: Mention) -> dict[str, Any]:
    job, result = one.job, one.result
    return {
        "job": one.id,
        "state": job.state if job else None,
        "created_at": rfc3339(job.created_at_ms) if job else None,
        "requested_by": job.order.requested_by if job else None,
        "reason": job.order.reason if job else None,
        "outcome": result.outcome if result else None,
        "result": result_view(result) if result else None,
    }
