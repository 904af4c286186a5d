"""Whether every result agrees with what the platform's own record says. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cancellist.cli.actions.demo.export import Export
from cancellist.jobs.model import Outcome, Result

_TOO_LATE = frozenset({"Manifested", "InTransit", "Delivered"})
"""States of the demo's own platform in which a consignment can no longer be cancelled."""


@dataclass(slots=True)
class Verdict:
    """What results say and what the record says.

    Attributes:
        results: results by outcome.
        record: what the record says, by the outcome that is true by it; None where none is, since nothing happened.
        wrong: outcomes of which some result is not what the record says, or is missing, with how many.
        examples: a line for each of the first few disagreements.
    """

    results: Counter[Outcome] = field(default_factory=Counter)
    record: Counter[Outcome | None] = field(default_factory=Counter)
    wrong: Counter[Outcome] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether each reference has exactly one result, and that is true."""
        return not self.examples

    def differ(self, words: str, *outcomes: Outcome | None) -> None:
        """Notes a disagreement."""
        self.wrong.update(outcome for outcome in outcomes if outcome)
        self.examples.append(words)


def truth(row: Mapping[str, Any]) -> Outcome | None:
    """The outcome that is true by a row of the record; None where the consignment is as open as it was."""
    initial = row["initial_state"]
    if row["cancelled_by_call"] is not None:
        return Outcome.CANCELLED
    if initial is None:
        return Outcome.NOT_FOUND
    if initial == "Cancelled":
        return Outcome.ALREADY_CANCELLED
    return Outcome.MANIFESTED if initial in _TOO_LATE else None


def verify(export: Export, results: Iterable[Result], record: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Holds each result against the record, reference by reference."""
    verdict = Verdict()
    found: dict[str, list[Outcome]] = {}
    for result in results:
        verdict.results[result.outcome] += 1
        if result.outcome is not Outcome.INVALID:
            found.setdefault(result.reference, []).append(result.outcome)
    for reference in export.references:
        expected = truth(record[reference])
        verdict.record[expected] += 1
        _compare(verdict, reference, expected, found.pop(reference, []))
    for reference, outcomes in found.items():
        verdict.differ(f"{reference} was not handed in, and is said to be {_said(outcomes)}", *outcomes)
    verdict.record[Outcome.INVALID] += export.malformed
    if verdict.results[Outcome.INVALID] != export.malformed:
        verdict.differ(
            f"{export.malformed} rows are malformed, {verdict.results[Outcome.INVALID]} are said to be", Outcome.INVALID
        )
    return verdict


def _compare(verdict: Verdict, reference: str, expected: Outcome | None, outcomes: Sequence[Outcome]) -> None:
    if list(outcomes) == [expected]:
        return
    is_said = f"is said to be {_said(outcomes)}" if outcomes else "has no result"
    verdict.differ(f"{reference} is {expected or 'open as before'} by the record, and {is_said}", expected, *outcomes)


def _said(outcomes: Sequence[Outcome]) -> str:
    return " and ".join(outcomes)
