"""The report of a pre-flight as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from cancellist.jobs.safety.consignment_record import Seen
from cancellist.jobs.safety.preflight import Facts, Overlap, deadline_met, examples, share_of_open
from cancellist.jobs.safety.preflight_words import warnings
from cancellist.jobs.times import rfc3339

_REASONS: Final = 3


def report(facts: Facts) -> dict[str, Any]:
    """The report as JSON: without the plan's token, its digest, and when it expires."""
    portions = {str(standing): facts.portion(found).document() for standing, found in facts.standings.items()}
    intake, seconds = facts.intake, facts.pace.seconds(facts.intake.references)
    return {
        "account": facts.account,
        "platform": facts.platform,
        "environment": facts.environment,
        "counts": {
            "references": intake.references,
            "duplicates": intake.duplicates,
            "invalid": intake.invalid,
            "blank": intake.blank,
            "read": len(facts.seen),
            **{str(standing): found for standing, found in facts.standings.items()},
            "near_manifesting": facts.near,
        },
        "sampled": len(facts.seen) < intake.references,
        "of_all": {**portions, "near_manifesting": facts.portion(facts.near).document()},
        "unread": _reasons(facts.seen),
        "overlap": _overlap(facts.overlap),
        "open_consignments": _open(facts),
        "time": {
            "seconds": None if seconds[0] is None else round(seconds[0], 1),
            "by": seconds[1],
            "deadline": rfc3339(facts.deadline_ms),
            "deadline_met": deadline_met(facts),
        },
        "warnings": warnings(facts),
        "sample": [_example(one) for one in examples(facts.seen)],
        "read_at": rfc3339(facts.now_ms),
    }


def _example(one: Seen) -> dict[str, Any]:
    return {
        "reference": one.reference, "standing": str(one.standing), "state": one.state, "near_manifesting": one.near,
        "name": one.name, "town": one.town, "goods": one.goods, "shipping_date": one.ships,
    }  # fmt: skip


def _reasons(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Why states are unknown, the most frequent reason first."""
    counted = Counter(one.why for one in seen if one.why)
    return [{"why": why, "references": count} for why, count in counted.most_common(_REASONS)]


def _overlap(overlap: Overlap) -> dict[str, Any]:
    return {
        "references": overlap.references,
        "compared": overlap.compared,
        "complete": overlap.gap is None,
        "jobs": [
            {
                "job": one.job, "references": one.references, "state": one.state,
                "created_at": rfc3339(one.created_at_ms),
            }
            for one in overlap.jobs
        ],
    }  # fmt: skip


def _open(facts: Facts) -> dict[str, Any]:
    share = share_of_open(facts)
    return {
        "count": facts.open.count,
        "share": None if share is None else round(share, 6),
        "unknown_because": facts.open.why,
    }
