"""Which references of a list that failed go on together."""

import pytest

from jobs.ledger.claims import Claim, Part
from jobs.model import Piece
from jobs.outcomes import Answer, Failure, judge
from jobs.retry import RetryPolicy
from worker.isolation import groups_of

POLICY = RetryPolicy(max_attempts=8)
REFERENCES = [f"EC-000-000-00{n}" for n in range(5)]
HALVED = dict(zip(REFERENCES, [0, 0, 0, 1, 1], strict=True))
BOOM, CUT, REFUSED = Answer(500), Failure("reset", written=True), Failure("connection refused", written=False)


def groups(answer, *, attempts=0, named=0, probe=False, kind="calls", references=REFERENCES):
    part = Part("j1", Piece(tuple(references), attempts, named))
    claim = Claim("c1", kind, (part,), True, 1e14, 0, 0, 0, probe, 100, 0, 8)
    judgement = judge(references, answer, single=len(references) == 1)
    return groups_of(claim, references, answer, judgement, POLICY)


@pytest.mark.parametrize(("attempts", "found"), [(3, {}), (4, HALVED)])
def test_a_list_that_fails_with_500_is_halved_from_half_its_attempts_on(attempts, found):
    assert groups(BOOM, attempts=attempts, named=attempts) == found


def test_another_failure_does_not_halve_a_list():
    assert groups(CUT, attempts=7) == groups(Answer(503), attempts=7) == {}


@pytest.mark.parametrize("answer", [BOOM, CUT, Answer(503)])
def test_a_list_of_which_only_probes_are_made_is_halved_however_they_fail(answer):
    assert groups(answer, named=3, probe=True) == {}
    assert groups(answer, named=4, probe=True) == HALVED


@pytest.mark.parametrize("answer", [REFUSED, Answer(429), Answer(401)])
def test_a_probe_that_the_platform_did_not_take_halves_nothing(answer):
    assert groups(answer, named=9, probe=True) == {}


def test_what_was_called_alone_stays_alone():
    assert groups(CUT, kind="alone") == dict.fromkeys(REFERENCES, 0)
    assert groups(BOOM, attempts=9, kind="alone", references=REFERENCES[:1]) == {REFERENCES[0]: 0}
