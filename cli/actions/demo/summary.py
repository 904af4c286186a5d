"""The demo's summary, as a JSON document and as a table."""

from typing import Any

from rich.text import Text

from cancellist.cli.actions.demo.comparison import Comparison
from cancellist.cli.actions.demo.export import Export
from cancellist.cli.output import wording
from cancellist.cli.terminal import heading, show
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import Outcome

_EXAMPLES = 10
_CALLS = {"cancellist": "with lists", "cancel": "with one reference", "status": "to read a state"}


def document(rows: int, export: Export, seen: Snapshot, verdict: Comparison, stats: dict[str, Any]) -> dict[str, Any]:
    """Returns the summary as a JSON document."""
    record = seen.record
    seconds = ((record.finished_at_ms or seen.now_ms) - (record.started_at_ms or record.created_at_ms)) / 1000
    return {
        "job": record.id,
        "state": record.state,
        "rows": rows,
        "total": record.total,
        "duplicates": export.duplicates,
        "invalid": export.malformed,
        "outcomes": {
            outcome.value: {
                "results": verdict.results[outcome],
                "record": verdict.record[outcome],
                "agrees": verdict.wrong[outcome] == 0,
            }
            for outcome in Outcome
            if verdict.results[outcome] or verdict.record[outcome]
        },
        "agrees": verdict.agrees,
        "disagreements": verdict.examples[:_EXAMPLES],
        "seconds": round(seconds, 2),
        "references_per_second": round(record.total / max(seconds, 0.001)),
        "calls": stats["calls"],
        "peak_calls_in_flight": stats["peak_in_flight"],
    }


def tell(found: dict[str, Any]) -> None:
    """Prints the summary as a table on standard output."""
    table = heading("outcome", "results", "platform's record", "", right=["results", "platform's record"])
    for name, row in found["outcomes"].items():
        agrees = Text("agrees", style="green") if row["agrees"] else Text("DISAGREES", style="bold red")
        style = wording.outcome_style(Outcome(name))
        table.add_row(Text(name, style=style), wording.count(row["results"]), wording.count(row["record"]), agrees)
    took = wording.span(found["seconds"])
    pace = f"{found['total']:,} references in {took}, {found['references_per_second']:,} a second"
    show(Text(), table, Text(), Text(pace), Text(_calls(found)), _conclusion(found))


def _calls(found: dict[str, Any]) -> str:
    calls = [f"{number:,} {_CALLS.get(name, name)}" for name, number in found["calls"].items()]
    total = sum(found["calls"].values())
    return f"{total:,} calls ({', '.join(calls)}), at most {found['peak_calls_in_flight']} in flight"


def _conclusion(found: dict[str, Any]) -> Text:
    if found["agrees"]:
        return Text(
            "every reference has exactly one result, and the platform's own record agrees with each", style="green"
        )
    lines = ["some results do not agree with the platform's own record:", *found["disagreements"]]
    return Text("\n".join(lines), style="bold red")
