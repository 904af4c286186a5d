"""What an attempt shows of the platform, apart from what it says of the references."""

import pytest

from cancellist.jobs.flow.signals import Signal, shown_by
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure

PLATFORM = {"Code": "x", "Message": "no", "CorrelationId": "c"}
GATEWAY = {"statusCode": 404, "message": "Resource not found"}


@pytest.mark.parametrize(
    ("answer", "sign"),
    [
        (Answer(200, []), Signal.ACCEPTED),
        (Answer(200), Signal.ACCEPTED),
        (Answer(204), Signal.ACCEPTED),
        (Answer(400, PLATFORM), Signal.ACCEPTED),
        (Answer(404, PLATFORM), Signal.ACCEPTED),
        (Answer(404), Signal.FAILED),
        (Answer(400, {"Message": "no route"}), Signal.FAILED),
        (Answer(413, UNREADABLE), Signal.ACCEPTED),
        (Answer(429, GATEWAY), Signal.REFUSED),
        (Answer(503, PLATFORM), Signal.REFUSED),
        (Answer(401, GATEWAY), Signal.DENIED),
        (Answer(403, PLATFORM), Signal.DENIED),
        (Answer(404, GATEWAY), Signal.DENIED),
        (Answer(404, UNREADABLE), Signal.FAILED),
        (Answer(200, UNREADABLE), Signal.FAILED),
        (Answer(408, PLATFORM), Signal.FAILED),
        (Answer(302, PLATFORM), Signal.FAILED),
        (Answer(500, PLATFORM), Signal.FAILED),
        (Answer(520), Signal.FAILED),
        (Failure("no answer in time", written=True, timed_out=True), Signal.TIMED_OUT),
        (Failure("refused", written=False), Signal.FAILED),
        (Failure("reset", written=True), Signal.FAILED),
    ],
)
def test_each_ending_of_an_attempt_has_its_sign(answer, sign):
    shown = shown_by(answer, 12.0)
    assert (shown.sign, shown.took_ms) == (sign, 12.0)


@pytest.mark.parametrize("body", [{"status": "maintenance"}, [], None])
def test_a_success_that_answers_nothing_is_a_failure(body):
    shown = shown_by(Answer(200, body), 1, answered=False)
    assert shown.sign is Signal.FAILED
    assert "does not say" in shown.why


def test_a_request_that_was_withheld_shows_nothing_of_the_platform():
    assert shown_by(Failure("it could not be sent in time", written=False, withheld=True), 5_000.0) is None


def test_a_refusal_tells_whether_it_gave_a_time_and_whether_it_may_be_an_outage():
    assert shown_by(Answer(429, None, 3.0), 1).with_retry_after
    assert not shown_by(Answer(429), 1).overload
    assert shown_by(Answer(503), 1).overload


def test_its_words_are_the_platforms_cut_short():
    assert shown_by(Answer(500, PLATFORM), 1).why == "HTTP 500: no"
    assert shown_by(Answer(500, {"Message": "x" * 500}), 1).why == ("HTTP 500: " + "x" * 500)[:119] + "…"
    assert shown_by(Failure("reset by peer", written=True), 1).why == "reset by peer"
