"""The demonstration's verdict: what disagrees with the platform's record is found, whatever it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from cancellist.cli.actions.demo import export as exports
from cancellist.cli.actions.demo import summary
from cancellist.cli.actions.demo.comparison import verify
from cancellist.cli.actions.demo.export import Export
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.model import Outcome, Result
from cancellist.jobs.parsing.documents import read
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import classify

EXPORT = Export(Path("export.csv"), ["A", "B", "C", "D"], malformed=1, duplicates=0, consignments=10)
RECORD = {
    "A": {"initial_state": "Allocated", "state": "Cancelled", "cancelled_by_call": 3, "cancel_calls": 1},
    "B": {"initial_state": "Cancelled", "state": "Cancelled", "cancelled_by_call": None, "cancel_calls": 1},
    "C": {"initial_state": "InTransit", "state": "InTransit", "cancelled_by_call": None, "cancel_calls": 1},
    "D": {"initial_state": None, "state": None, "cancelled_by_call": None, "cancel_calls": 1},
}
OUTCOMES = {
    "A": Outcome.CANCELLED,
    "B": Outcome.ALREADY_CANCELLED,
    "C": Outcome.MANIFESTED,
    "D": Outcome.NOT_FOUND,
    "n/a": Outcome.INVALID,
}


def result(reference: str, outcome: Outcome) -> Result:
    return Result("j", reference, outcome, 200, 1, None, None, 0)


TRUE = [result(reference, outcome) for reference, outcome in OUTCOMES.items()]


def test_true_results_agree():
    verdict = verify(EXPORT, TRUE, RECORD)
    assert verdict.agrees
    assert not verdict.wrong
    assert dict(verdict.results) == dict(verdict.record)


@pytest.mark.parametrize("reference", list(OUTCOMES))
def test_a_missing_result_disagrees(reference):
    assert not verify(EXPORT, [one for one in TRUE if one.reference != reference], RECORD).agrees


@pytest.mark.parametrize("reference", list(OUTCOMES))
def test_a_second_result_disagrees(reference):
    assert not verify(EXPORT, [*TRUE, result(reference, OUTCOMES[reference])], RECORD).agrees


@pytest.mark.parametrize("reference", list(RECORD))
def test_any_other_outcome_disagrees(reference):
    for outcome in set(Outcome) - {OUTCOMES[reference]}:
        results = [replace(one, outcome=outcome) if one.reference == reference else one for one in TRUE]
        verdict = verify(EXPORT, results, RECORD)
        assert not verdict.agrees
        assert verdict.wrong[OUTCOMES[reference]]


def test_a_result_for_what_was_not_handed_in_disagrees():
    assert not verify(EXPORT, [*TRUE, result("E", Outcome.CANCELLED)], RECORD).agrees


def test_a_consignment_that_nothing_happened_to_has_no_true_outcome():
    untouched = {**RECORD, "A": {**RECORD["A"], "state": "Allocated", "cancelled_by_call": None}}
    for outcome in Outcome:
        results = [replace(one, outcome=outcome) if one.reference == "A" else one for one in TRUE]
        assert not verify(EXPORT, results, untouched).agrees


@pytest.mark.parametrize("rows", [1, 19, 20, 777])
def test_the_export_holds_what_it_says(tmp_path, rows):
    export = exports.write(tmp_path / "export.csv", rows)
    valid, invalid = [], 0
    pattern = ReferencePattern()
    for raw in read([export.path.read_bytes()], pattern=pattern):
        batch = classify(raw, pattern)
        valid += batch.valid
        invalid += len(batch.invalid)
    assert len(valid) + invalid == rows
    assert invalid == export.malformed
    with Deduplicator() as deduplicator:
        assert set(deduplicator.unique(valid)) == set(export.references)
        assert deduplicator.duplicates == export.duplicates
    assert len(export.references) + export.malformed + export.duplicates == rows


@pytest.mark.parametrize("agrees", [True, False])
def test_the_summary_says_whether_they_agree(capsys, agrees):
    row = {"results": 2000, "record": 2000 if agrees else 1999, "agrees": agrees}
    found = {
        "outcomes": {"cancelled": row}, "agrees": agrees, "disagreements": [] if agrees else ["A is odd"],
        "total": 2000, "seconds": 0.5, "references_per_second": 4000, "calls": {"cancellist": 20, "status": 3},
        "peak_calls_in_flight": 16,
    }  # fmt: skip
    summary.tell(found)
    said = capsys.readouterr().out
    assert "2,000 references in 0.5 s, 4,000 a second" in said
    assert "23 calls (20 with lists, 3 to read a state), at most 16 in flight" in said
    assert ("DISAGREES" in said) is not agrees
    assert ("A is odd" in said) is not agrees
    assert ("every reference has exactly one result" in said) is agrees
