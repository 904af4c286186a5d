"""The answer of Create Consignment: only what surely created nothing may be sent again."""

import pytest

from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.created import Made, NotMade, TooMany, Unclear, judge_created

OLD, NEW = "EC-000-05D-1NS", "EC-000-05D-2NS"
LINK = {"Rel": "Link", "Href": f"https://api.example.com/consignments/{NEW}"}
ERROR = {"Code": "invalid_request", "Message": "no", "CorrelationId": "1", "Details": []}
GATEWAY = {"statusCode": 429, "message": "Rate limit is exceeded"}


def judged(answer):
    return judge_created(answer, ReferencePattern(), OLD)


@pytest.mark.parametrize(
    "body",
    [
        [LINK], LINK, [LINK, LINK], [{"rel": "Link", "href": f"/Consignments/{NEW.lower()}/"}],
        [LINK, {"Rel": "Label", "Href": "https://api.example.com/labels/1"}], [{**LINK, "Href": f"{LINK['Href']}?a=b"}],
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 201])
def test_the_new_reference_is_read_from_its_link(status, body):
    assert judged(Answer(status, body)) == Made(NEW)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, []), Answer(201, None), Answer(201, UNREADABLE), Answer(201, {"Message": "OK"}),
        Answer(201, [LINK, {"Href": "https://api.example.com/consignments/EC-000-05D-3NS"}]),
        Answer(201, [{"Href": f"https://api.example.com/consignments/{OLD}"}]), Answer(201, [{"Href": "http://["}]),
        Answer(201, [{"Href": "https://api.example.com/consignments/new"}]), Answer(202, None), Answer(204, None),
        Answer(302, None), Answer(400, None), Answer(404, {"status": 404}), Answer(408, ERROR), Answer(429, None),
        Answer(500, ERROR), Answer(503, {"statusCode": 503, "message": "away"}),
        Failure("no answer in time", written=True, timed_out=True),
    ],
)  # fmt: skip
def test_all_else_is_unclear(answer):
    assert isinstance(judged(answer), Unclear)


@pytest.mark.parametrize("status", [400, 404, 409, 415, 422])
def test_a_refusal_in_the_platforms_form_is_final_and_says_what_is_wrong(status):
    body = {**ERROR, "Details": [{"Code": "c", "Target": "Packages[0]", "Message": "Weight is required"}, 7]}
    assert judged(Answer(status, body)) == NotMade(f"HTTP {status}: no; Packages[0]: Weight is required", is_final=True)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_all(status):
    found = judged(Answer(status, GATEWAY))
    assert isinstance(found, NotMade)
    assert (found.stops, found.is_final) == (True, False)


def test_a_pause_that_is_asked_for_and_what_was_never_sent():
    assert judged(Answer(429, GATEWAY, retry_after_s=3.0)) == TooMany("HTTP 429", 3.0)
    assert judged(Failure("refused", written=False)) == NotMade("refused")
