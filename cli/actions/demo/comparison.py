"""Compares every result with the platform's own record. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cancellist.cli.actions.demo.export import Export
from cancellist.jobs.model import Outcome, Result

_TOO_LATE = frozenset({"Manifested", "InTransit", "Delivered"})
"""States of the demo's own platform in which a consignment can no longer be cancelled."""


@dataclass(slots=True)
class Comparison:
    """The comparison of results and record.

    Attributes:
        results: how many results have each outcome.
        record: how many references have each outcome by the record. None: the consignment is still open.
        wrong: by outcome, how many results are missing or disagree with the record.
        examples: a line for each disagreement.
    """

    results: Counter[Outcome] = field(default_factory=Counter)
    record: Counter[Outcome | None] = field(default_factory=Counter)
    wrong: Counter[Outcome] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether each reference has exactly one result, and all agree with the record."""
        return not self.examples

    def differ(self, words: str, *outcomes: Outcome | None) -> None:
        """Records a disagreement."""
        self.wrong.update(outcome for outcome in outcomes if outcome)
        self.examples.append(words)


def truth(row: Mapping[str, Any]) -> Outcome | None:
    """Returns the outcome that a row of the record shows; None if the consignment is still open."""
    initial = row["initial_state"]
    if row["cancelled_by_call"] is not None:
        return Outcome.CANCELLED
    if initial is None:
        return Outcome.NOT_FOUND
    if initial == "Cancelled":
        return Outcome.ALREADY_CANCELLED
    return Outcome.MANIFESTED if initial in _TOO_LATE else None


def verify(export: Export, results: Iterable[Result], record: Mapping[str, Mapping[str, Any]]) -> Comparison:
    """Compares the results with the record, reference by reference."""
    verdict = Comparison()
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
        verdict.differ(f"{reference} was not handed in, but has the result {_said(outcomes)}", *outcomes)
    verdict.record[Outcome.INVALID] += export.malformed
    if verdict.results[Outcome.INVALID] != export.malformed:
        verdict.differ(
            f"{export.malformed} rows are malformed, but {verdict.results[Outcome.INVALID]} have the result invalid",
            Outcome.INVALID,
        )
    return verdict


def _compare(verdict: Comparison, reference: str, expected: Outcome | None, outcomes: Sequence[Outcome]) -> None:
    if list(outcomes) == [expected]:
        return
    is_said = f"has the result {_said(outcomes)}" if outcomes else "has no result"
    verdict.differ(f"{reference} is {expected or 'still open'} by the record, but {is_said}", expected, *outcomes)


def _said(outcomes: Sequence[Outcome]) -> str:
    return " and ".join(outcomes)
