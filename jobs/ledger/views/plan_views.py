"""The JSON of plans."""

from typing import Any

from cancellist.jobs.ledger.plans import Plan
from cancellist.jobs.times import rfc3339

READY, WAITING = "ready", "waiting"


def plan_view(plan: Plan) -> dict[str, Any]:
    """A plan with its report."""
    return {
        "plan": plan.token,
        "state": READY,
        "created_at": rfc3339(plan.created_at_ms),
        "expires_at": rfc3339(plan.expires_at_ms),
        "digest": plan.digest,
        "made_by": plan.made_by,
        "job": plan.job,
        **(plan.report or {}),
    }


def waiting_view(plan: Plan) -> dict[str, Any]:
    """A plan that has no report yet."""
    return {
        "plan": plan.token,
        "state": WAITING,
        "created_at": rfc3339(plan.created_at_ms),
        "expires_at": rfc3339(plan.expires_at_ms),
        "account": plan.account,
        "references": plan.count,
    }
