import re

import pytest

from cancellist.cli.actions.exit_status import exit_status
from cancellist.jobs.model import DONE, REFUSED, UNFINISHED, Outcome
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure, refused_by_gateway, too_long
from cancellist.jobs.responses.cancellation import USUAL_SUCCESS, judge
from cancellist.jobs.responses.status_read import Found, StateClass, Unknown, Unread, judge_reading, state_class
from cancellist.jobs.responses.verdicts import NO_ANSWER, OF_THE_CALLER, Confirmed, Refused, Suspect, Unclear, Untaken

A, B, C = "EC-000-05D-1NS", "EC-000-05D-1NT", "EC-000-05D-1NU"
ALL = [A, B, C]
BAD = {"Code": "bad", "Message": "no such thing", "CorrelationId": "1", "Details": []}


def item(data, success=True, message=USUAL_SUCCESS):
    return {"IsSuccess": success, "Message": message, "Data": data, "ApiLinks": None}


def verdicts(body, references=ALL, status=200):
    judgement = judge(references, Answer(status, body), single=False)
    return [judgement.of(reference) for reference in references]


def alone(answer):
    return judge([A], answer, single=True).of(A)


@pytest.mark.parametrize("status", [200, 201])
def test_a_list_that_names_all_as_successful_confirms_all(status):
    assert verdicts([item(r) for r in ALL], status=status) == [Confirmed(status)] * 3


def test_verdicts_are_joined_by_data_and_not_by_position():
    got = verdicts([item(C), item(A, success=False, message="no"), item(B)])
    assert got == [Refused(200, "no"), Confirmed(200), Confirmed(200)]


@pytest.mark.parametrize("data", [A.lower(), f" {A}\t", A.title()])
def test_case_and_white_space_of_data_do_not_matter(data):
    assert verdicts([item(data)], [A, B])[0] == Confirmed(200)


def test_data_is_compared_as_references_are_normalised():
    reference = normalise(" aß-1 ")
    assert reference == "Aß-1"
    assert judge([reference, A], Answer(200, [item("Aß-1"), item(A)]), single=False).of(reference) == Confirmed(200)
    body = {"ConsignmentReferenceForAllLegsAssignedByMpd": "Aß-1", "Status": "Lost"}
    assert judge_reading(reference, Answer(200, body)) == Found("Lost", 200)


def test_what_the_answer_does_not_name_may_have_been_cancelled():
    got = verdicts([item(A), item(B)])
    assert got[:2] == [Confirmed(200)] * 2
    assert isinstance(got[2], Unclear)


def test_an_empty_list_leaves_all_unclear():
    assert all(isinstance(verdict, Unclear) for verdict in verdicts([]))


def test_a_reference_that_is_named_twice_with_one_meaning_is_clear():
    assert verdicts([item(A), item(B), item(A)], [A, B]) == [Confirmed(200)] * 2


@pytest.mark.parametrize("order", [[True, False], [False, True], [True, False, True], [False, True, False]])
def test_an_answer_that_contradicts_itself_is_unclear(order):
    assert isinstance(verdicts([item(A, success=success) for success in order], [A, B])[0], Unclear)


@pytest.mark.parametrize("success", [None, "true", "True", 1, 0, "", [], {}, [True], "false"])
def test_success_that_is_not_said_in_so_many_words_is_unclear(success):
    assert isinstance(verdicts([item(A, success=success)], [A, B])[0], Unclear)


@pytest.mark.parametrize(
    "body", [None, UNREADABLE, {}, {"IsSuccess": True}, "ok", 1, True, [None], [[item(A)]], [1, "x"]]
)
def test_a_body_that_is_no_list_of_items_leaves_all_unclear(body):
    assert all(isinstance(verdict, Unclear) for verdict in verdicts(body))


@pytest.mark.parametrize("data", [None, 7, [A], {"Reference": A}, "", "EC-000"])
def test_an_item_whose_data_is_no_reference_of_the_call_says_nothing(data):
    assert isinstance(verdicts([item(data)], [A, B])[0], Unclear)


def test_references_that_were_not_asked_for_are_listed_and_ignored():
    judgement = judge([A, B], Answer(200, [item(A), item(C), item(B)]), single=False)
    assert judgement.unasked == (C,)
    assert [judgement.of(r) for r in (A, B)] == [Confirmed(200)] * 2
    assert C not in judgement.others


def test_the_usual_words_of_success_are_not_kept_and_others_are():
    got = verdicts([item(A), item(B, message="cancelled; the label is void"), item(C, message=None)])
    assert got == [Confirmed(200), Confirmed(200, "cancelled; the label is void"), Confirmed(200)]


def test_words_are_kept_up_to_500_characters():
    assert verdicts([item(A, success=False, message="x" * 9000)], [A, B])[0] == Refused(200, "x" * 500)


@pytest.mark.parametrize("message", [None, "", 5, {"text": "no"}, ["no"]])
def test_a_refusal_without_words_is_a_refusal(message):
    assert verdicts([item(A, success=False, message=message)], [A, B])[0] == Refused(200)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gate_of_the_platform_does_not_count(status, single):
    body = {"statusCode": status, "message": "Access denied"}
    verdict = judge([A], Answer(status, body), single=single).of(A)
    assert verdict == Untaken("Access denied", status, counted=False, alone_after=OF_THE_CALLER)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("body", [None, UNREADABLE, {"statusCode": 429}, {"Code": "x", "Message": "slow down"}])
def test_too_many_requests_burns_nothing_but_may_have_acted(body, single):
    verdict = judge([A], Answer(429, body), single=single).of(A)
    assert verdict == Unclear(verdict.reason, 429, counted=False, ended=True, alone_after=OF_THE_CALLER)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408])
def test_a_server_error_and_a_timeout_are_unclear(status, single):
    assert judge([A], Answer(status, UNREADABLE), single=single).of(A) == Unclear(f"HTTP {status}", status)


def no_answer(reason, status):
    return Unclear(reason, status, counted=False, alone_after=NO_ANSWER)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("status", [100, 302, 304])
def test_a_redirection_is_no_answer_and_burns_nothing(status, single):
    assert judge([A], Answer(status, BAD), single=single).of(A) == no_answer("no such thing", status)


GATEWAY = {"statusCode": 404, "message": "Resource not found"}


@pytest.mark.parametrize("single", [True, False])
def test_a_gateways_error_is_not_the_platforms_word_and_burns_nothing(single):
    expected = Untaken("Resource not found", 404, counted=False, alone_after=OF_THE_CALLER)
    assert judge([A], Answer(404, GATEWAY), single=single).of(A) == expected
    assert judge([A], Answer(504, GATEWAY), single=single).of(A) == Unclear("Resource not found", 504)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("status", [400, 404, 409, 415, 422])
@pytest.mark.parametrize(
    "body", [UNREADABLE, None, {}, [], "no", {"Message": "no route"}, {"Code": "x", "Message": "m"}]
)
def test_an_answer_in_another_form_refuses_nothing_and_costs_no_attempt(status, single, body):
    verdict = judge([A], Answer(status, body), single=single).of(A)
    assert verdict == no_answer(verdict.reason, status)


def test_a_proxys_page_may_say_that_a_list_is_too_long():
    assert judge([A, B], Answer(413, UNREADABLE), single=False).common == Suspect("HTTP 413", 413, too_long=True)
    assert judge([A], Answer(413, UNREADABLE), single=True).of(A) == no_answer("HTTP 413", 413)


def test_a_list_that_is_too_long_for_a_gateway_is_too_long_and_no_refusal_of_the_account():
    answer = Answer(413, {"statusCode": 413, "message": "Payload too large"})
    assert not refused_by_gateway(answer)
    assert judge([A, B], answer, single=False).common == Suspect("Payload too large", 413, too_long=True)
    assert isinstance(judge([A], answer, single=True).common, Unclear)
    assert too_long(Answer(413, UNREADABLE))


def test_a_refusal_in_the_words_of_a_success_contradicts_itself():
    assert isinstance(verdicts([item(A, success=False), item(B)], [A, B])[0], Unclear)


@pytest.mark.parametrize("status", [405, 415, 423, 451])
def test_an_error_that_refuses_no_reference_leaves_all_unclear_though_the_call_has_ended(status):
    assert verdicts(BAD, status=status) == [Unclear("no such thing", status, ended=True)] * 3
    assert alone(Answer(status, BAD)) == Unclear("no such thing", status, ended=True)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_list_that_is_refused_as_a_whole_makes_each_of_it_a_suspect(status):
    assert verdicts(BAD, status=status) == [Suspect("no such thing", status, too_long=status == 413)] * 3


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_one_alone_that_is_refused_is_refused(status):
    assert alone(Answer(status, {**BAD, "Message": "it is manifested"})) == Refused(status, "it is manifested")


@pytest.mark.parametrize("single", [True, False])
def test_a_failure_before_a_byte_was_written_is_untaken_and_not_counted(single):
    verdict = judge([A], Failure("refused", written=False), single=single).of(A)
    assert verdict == Untaken("refused", counted=False)


@pytest.mark.parametrize("single", [True, False])
def test_a_failure_after_a_byte_was_written_is_unclear(single):
    assert judge([A], Failure("reset", written=True), single=single).of(A) == Unclear("reset")


@pytest.mark.parametrize("status", [200, 201])
def test_the_success_of_one_alone_has_no_body(status):
    assert alone(Answer(status)) == Confirmed(status)


@pytest.mark.parametrize("body", [item(A), [item(A)], [item(A.lower())]])
def test_one_alone_may_be_answered_as_a_list_of_one_is(body):
    assert alone(Answer(200, body)) == Confirmed(200)


@pytest.mark.parametrize("body", [item(A, success=False, message="no"), [item(A, success=False, message="no")]])
def test_one_alone_may_be_refused_in_a_success_answer(body):
    assert alone(Answer(200, body)) == Refused(200, "no")


def test_an_unreadable_success_answer_to_one_alone_is_unclear():
    assert isinstance(alone(Answer(200, UNREADABLE)), Unclear)


@pytest.mark.parametrize("body", [item(B), [item(B)], item("EC-000")])
def test_an_answer_to_one_alone_that_names_another_is_unclear(body):
    assert isinstance(alone(Answer(200, body)), Unclear)


@pytest.mark.parametrize("success", [None, "false", "true", 0, 1])
def test_an_answer_to_one_alone_that_does_not_say_whether_it_succeeded_is_unclear(success):
    assert isinstance(alone(Answer(200, item(A, success=success))), Unclear)


def test_an_empty_list_to_one_alone_is_unclear():
    assert isinstance(alone(Answer(200, [])), Unclear)


@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        (
            Answer(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": A, "Status": "Allocated"}),
            Found("Allocated", 200),
        ),
        (
            Answer(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": A.lower(), "Status": " Lost "}),
            Found("Lost", 200),
        ),
        (Answer(200, {"Status": "Cancelled"}), Unread("the answer does not say whose state it has", 200, outage=True)),
        (Answer(200, {"Reference": A, "Status": "Cancelled"}), Found("Cancelled", 200)),
        (Answer(404, BAD), Unknown(404)),
        (Answer(404), Unread("HTTP 404", 404, outage=True)),
        (Answer(404, {"Message": "no route"}), Unread("HTTP 404", 404, outage=True)),
        (Answer(404, UNREADABLE), Unread("HTTP 404", 404, outage=True)),
        (
            Answer(404, {"statusCode": 404, "message": "Resource not found"}),
            Unread("HTTP 404", 404, counted=False, alone_after=OF_THE_CALLER),
        ),
        (Answer(401), Unread("HTTP 401", 401, counted=False, alone_after=OF_THE_CALLER)),
        (Answer(403), Unread("HTTP 403", 403, counted=False, alone_after=OF_THE_CALLER)),
        (Answer(429), Unread("HTTP 429", 429, counted=False, alone_after=OF_THE_CALLER)),
        (Answer(500), Unread("HTTP 500", 500)),
        (Answer(302), Unread("HTTP 302", 302, outage=True)),
        (Answer(400), Unread("HTTP 400", 400, outage=True)),
        (Answer(400, BAD), Unread("HTTP 400", 400)),
        (Failure("refused", written=False), Unread("refused", counted=False)),
        (Failure("reset", written=True), Unread("reset", counted=True)),
    ],
)
def test_a_reading_says_what_the_platform_knows(answer, reading):
    assert judge_reading(A, answer) == reading


@pytest.mark.parametrize(
    "body",
    [
        None,
        UNREADABLE,
        [],
        "Cancelled",
        {},
        {"Status": None},
        {"Status": "  "},
        {"Status": 3},
        {"ConsignmentReferenceForAllLegsAssignedByMpd": B, "Status": "Cancelled"},
        {"ConsignmentReference": B, "Status": "Cancelled"},
        {"ConsignmentReferenceForAllLegsAssignedByMpd": A, "Reference": B, "Status": "Cancelled"},
        {"status": "Delayed", "message": "maintenance"},
    ],
)
def test_a_reading_without_a_state_of_this_reference_is_counted_as_unread(body):
    reading = judge_reading(A, Answer(200, body))
    assert isinstance(reading, Unread)
    assert reading.counted


PLATFORM_STATES = {
    StateClass.CANCELLED: "Cancelled",
    StateClass.PASSING: "Cancelling Allocating Manifesting",
    StateClass.OPEN: "Unallocated AllocationFailed Allocated ReadyToShip ManifestFailed",
    StateClass.MANIFESTED: (
        "Manifested AtDropOffPoint Collected CollectionFailed InTransit InTransitWaiting Delayed OutForDelivery "
        "DeliveryFailed DeliveryFailedCardLeft Delivered PartiallyDelivered DeliveredDamaged AtCollectionPoint "
        "AtCustoms HeldByCarrier ReturnToSender ActionRequired ExchangeFailed CarrierUnableToCollect Missing Lost "
        "Damaged Dispatched"
    ),
}


@pytest.mark.parametrize(
    ("state", "expected"), [(state, meaning) for meaning, states in PLATFORM_STATES.items() for state in states.split()]
)
def test_every_state_of_the_guide_has_its_standing_however_it_is_written(state, expected):
    words = re.sub("(?<=[a-z])(?=[A-Z])", " - ", state)
    for written in (state, f" {state.upper()} ", words, words.replace(" - ", "_")):
        assert state_class(written) is expected


def test_nothing_is_concluded_from_an_unknown_state():
    assert state_class("Teleported") is StateClass.STRANGE
    assert state_class("") is StateClass.STRANGE


def test_every_outcome_is_done_refused_or_unfinished():
    assert set(Outcome) == DONE | REFUSED | UNFINISHED
    assert len(DONE) + len(REFUSED) + len(UNFINISHED) == len(Outcome)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 0),
        (["cancelled", "already_cancelled"], 0),
        (["cancelled", "manifested"], 3),
        (["not_found"], 3),
        (["rejected"], 3),
        (["invalid"], 3),
        (["invalid", "failed"], 4),
        (["unconfirmed"], 4),
        (["expired"], 4),
        (["aborted", "rejected"], 4),
    ],
)
def test_the_exit_status_follows_the_worst_outcome(outcomes, status):
    assert exit_status(map(Outcome, outcomes)) == status
