"""What follows from how an attempt ended."""

import pytest

from cancellist.jobs.flow.batch_size import TriedBatch
from cancellist.jobs.ledger.claims import Share
from cancellist.jobs.model import DONE, Outcome
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.worker.calls.attempt_result import AttemptResult


@pytest.mark.parametrize(
    ("ended", "chains"),
    [
        (AttemptResult([]), True),
        (AttemptResult([], listed=TriedBatch(100, taken=True)), True),
        (AttemptResult([], listed=TriedBatch(100, taken=False)), False),
        (AttemptResult([], rest_s=0.05), False),
    ],
)
def test_what_is_staged_follows_at_once_but_for_a_slot_that_rests_and_a_list_that_was_too_long(ended, chains):
    assert ended.chains is chains


STEPS = {
    **{outcome.value: (WriteResult(outcome, 1), outcome not in DONE) for outcome in Outcome},
    "to be called again": (CallAgain(1.0, 1, 1), False),
    "refused, and to be read": (ReadState(0.0, 1, 1, refusal_status=400), True),
}


@pytest.mark.parametrize("what", STEPS)
def test_a_failure_stop_may_count_each_failure_and_each_refusal_that_is_not_read_yet(what):
    step, counts = STEPS[what]
    cancelled = Share(WriteResult(Outcome.CANCELLED, 1), ("A",), 1)
    assert AttemptResult([[cancelled], [cancelled, Share(step, ("B",), 1)]]).may_fall_short is counts
    assert not AttemptResult([[cancelled]]).may_fall_short
