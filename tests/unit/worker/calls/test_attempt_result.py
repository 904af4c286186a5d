"""What follows from how an attempt ended."""

import pytest

from cancellist.jobs.flow.batch_size import TriedBatch
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
