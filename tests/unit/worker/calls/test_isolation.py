"""Which references of a list that failed go on together."""

import pytest

from cancellist.jobs.ledger.claims import Claim, Part
from cancellist.jobs.model import Piece
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.responses.status_read import judge_reading
from cancellist.jobs.responses.verdicts import Judgement, Untaken
from cancellist.worker.calls.deallocation import unread
from cancellist.worker.calls.isolation import groups_of, in_vain

POLICY = RetryPolicy(max_attempts=8)
REFERENCES = [f"EC-000-000-00{n}" for n in range(5)]
HALVED = dict(zip(REFERENCES, [0, 0, 0, 1, 1], strict=True))
GATEWAY = {"statusCode": 404, "message": "Resource not found"}
BAD = {"Code": "x", "Message": "no", "CorrelationId": "c"}
SLOW = Failure("no answer in time", written=True, timed_out=True)
BOOM, CUT, REFUSED = Answer(500), Failure("reset", written=True), Failure("connection refused", written=False)


def claimed(*, probe=False, kind="calls", references=REFERENCES, **history):
    part = Part("j1", Piece(tuple(references), **history))
    return Claim("c1", kind, (part,), True, 1e14, 0, 0, 0, probe, 100, 0, 8)


def groups(answer, *, probe=False, kind="calls", references=REFERENCES, **history):
    claim = claimed(probe=probe, kind=kind, references=references, **history)
    judgement = judge(references, answer, single=len(references) == 1)
    return groups_of(claim, references, judgement, POLICY)


@pytest.mark.parametrize("answer", [BOOM, CUT, Answer(502), Answer(503), Answer(408), Answer(405, BAD), SLOW])
@pytest.mark.parametrize(("attempts", "found"), [(3, {}), (4, HALVED)])
def test_a_list_that_fails_is_halved_from_half_its_attempts_on(answer, attempts, found):
    assert groups(answer, attempts=attempts, named=attempts) == found


def test_a_list_that_was_never_sent_is_not_halved():
    assert groups(REFUSED, attempts=7) == {}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, UNREADABLE), Answer(200, {"status": "maintenance"}), Answer(200, []), Answer(204), Answer(302),
        Answer(404), Answer(400, {"type": "about:blank", "title": "Bad Request", "status": 400}),
    ],
)  # fmt: skip
def test_a_list_whose_answer_says_nothing_twice_in_a_row_is_halved(answer):
    assert groups(answer) == {}
    assert groups(answer, unanswered=1) == HALVED
    assert groups(answer, unanswered=1, probe=True) == HALVED


@pytest.mark.parametrize("answer", [Answer(429), Answer(401), Answer(403), Answer(404, GATEWAY)])
def test_a_list_that_is_refused_for_the_caller_is_halved_once_others_have_done_well_in_between(answer):
    assert groups(answer, unanswered=5) == groups(answer, unanswered=5, alone=2) == {}
    assert groups(answer, unanswered=3, alone=3) == HALVED
    assert groups(answer, unanswered=6) == HALVED  # nothing else may be called that could show it


@pytest.mark.parametrize("answer", [BOOM, CUT, Answer(503)])
def test_a_list_of_which_only_probes_are_made_is_halved_however_they_fail(answer):
    assert groups(answer, named=3, probe=True) == {}
    assert groups(answer, named=4, probe=True) == HALVED


@pytest.mark.parametrize("answer", [REFUSED, Answer(429), Answer(401)])
def test_a_probe_that_the_platform_did_not_take_halves_nothing(answer):
    assert groups(answer, named=9, probe=True) == {}


@pytest.mark.parametrize("answer", [BOOM, SLOW, Answer(409, BAD), Answer(200, {"status": "maintenance"})])
def test_a_list_of_whose_records_or_states_the_first_cannot_be_read_is_halved(answer):
    def after(**history):
        verdict = unread(judge_reading(REFERENCES[0], answer, since_call_s=0.0), answer, "reading it")
        untried = dict.fromkeys(REFERENCES[1:], Untaken("those of others could not be read", sent=False))
        judgement = Judgement(verdict, untried)
        claim = claimed(**history)
        return groups_of(claim, REFERENCES, judgement.uncounted() if claim.probe else judgement, POLICY)

    assert after() == {}
    assert after(attempts=4, named=4, unanswered=1) == HALVED
    assert after(named=4, unanswered=1, probe=True) == HALVED


def test_what_was_called_alone_stays_alone():
    assert groups(CUT, kind="alone") == dict.fromkeys(REFERENCES, 0)
    assert groups(BOOM, attempts=9, kind="alone", references=REFERENCES[:1]) == {REFERENCES[0]: 0}


@pytest.mark.parametrize(
    ("answer", "other_way"),
    [(BOOM, True), (SLOW, True), (Answer(409, BAD), True), (REFUSED, False), (Answer(401), False)],
)
def test_a_reference_that_cannot_be_read_before_its_call_is_tried_at_the_other_endpoint(answer, other_way):
    verdict = unread(judge_reading(REFERENCES[0], answer, since_call_s=0.0), answer, "reading it")
    assert in_vain(Judgement(verdict, {}).uncounted()) == other_way
