"""What an attempt shows of the platform, apart from what it says of the references."""

import pytest

from cancellist.jobs.flow.signals import Sign, shown_by
from cancellist.jobs.responses.outcomes import UNREADABLE, Answer, Failure

PLATFORM = {"Code": "x", "Message": "no", "CorrelationId": "c"}
GATEWAY = {"statusCode": 404, "message": "Resource not found"}


@pytest.mark.parametrize(
    ("answer", "sign"),
    [
        (Answer(200, []), Sign.ACCEPTED),
        (Answer(200), Sign.ACCEPTED),
        (Answer(204), Sign.ACCEPTED),
        (Answer(400, PLATFORM), Sign.ACCEPTED),
        (Answer(404, PLATFORM), Sign.ACCEPTED),
        (Answer(404), Sign.FAILED),
        (Answer(400, {"Message": "no route"}), Sign.FAILED),
        (Answer(413, UNREADABLE), Sign.ACCEPTED),
        (Answer(429, GATEWAY), Sign.REFUSED),
        (Answer(503, PLATFORM), Sign.REFUSED),
        (Answer(401, GATEWAY), Sign.DENIED),
        (Answer(403, PLATFORM), Sign.DENIED),
        (Answer(404, GATEWAY), Sign.DENIED),
        (Answer(404, UNREADABLE), Sign.FAILED),
        (Answer(200, UNREADABLE), Sign.FAILED),
        (Answer(408, PLATFORM), Sign.FAILED),
        (Answer(302, PLATFORM), Sign.FAILED),
        (Answer(500, PLATFORM), Sign.FAILED),
        (Answer(520), Sign.FAILED),
        (Failure("no answer in time", written=True, timed_out=True), Sign.TIMED_OUT),
        (Failure("refused", written=False), Sign.FAILED),
        (Failure("reset", written=True), Sign.FAILED),
    ],
)
def test_each_ending_of_an_attempt_has_its_sign(answer, sign):
    shown = shown_by(answer, 12.0)
    assert (shown.sign, shown.took_ms) == (sign, 12.0)


@pytest.mark.parametrize("body", [{"status": "maintenance"}, [], None])
def test_a_success_that_answers_nothing_is_a_failure(body):
    shown = shown_by(Answer(200, body), 1, answered=False)
    assert shown.sign is Sign.FAILED
    assert "does not say" in shown.why


def test_a_request_that_was_withheld_shows_nothing_of_the_platform():
    assert shown_by(Failure("it could not be sent in time", written=False, withheld=True), 5_000.0) is None


def test_a_refusal_tells_whether_it_gave_a_time_and_whether_it_may_be_an_outage():
    assert shown_by(Answer(429, None, 3.0), 1).told
    assert not shown_by(Answer(429), 1).overload
    assert shown_by(Answer(503), 1).overload


def test_its_words_are_the_platforms_cut_short():
    assert shown_by(Answer(500, PLATFORM), 1).why == "HTTP 500: no"
    assert shown_by(Answer(500, {"Message": "x" * 500}), 1).why == ("HTTP 500: " + "x" * 500)[:120]
    assert shown_by(Failure("reset by peer", written=True), 1).why == "reset by peer"
