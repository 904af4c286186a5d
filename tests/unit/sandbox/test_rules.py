"""What the platform allows, and in which words it refuses: tables over all states."""

import pytest

from cancellist.sandbox.answers.envelopes import camel, snake, spaced
from cancellist.sandbox.answers.style import Style
from cancellist.sandbox.answers.words import CANCELLING, DEALLOCATING, SETTING_BACK, Refusal, refusal_words
from cancellist.sandbox.faults.faults import parse_places
from cancellist.sandbox.faults.kinds import FaultKind, Scope
from cancellist.sandbox.strictness import refuse_form
from cancellist.sandbox.world.consignments import (
    PASSING,
    Rules,
    State,
    Why,
    parse_mix,
    refuse_cancelling,
    refuse_deallocating,
    refuse_setting_back,
    state_named,
)
from cancellist.sandbox.world.world import World

NAME = "EC-000-000-001"
GOOD = {"electio-api-version": "1.1", "Content-Type": "application/json"}
REFUSALS = [Refusal(NAME, Why.UNKNOWN)] + [
    Refusal(NAME, refuse_cancelling(state, Rules()), state) for state in State if refuse_cancelling(state, Rules())
]


@pytest.mark.parametrize("state", list(State))
def test_by_the_disputed_table_all_but_a_few_states_can_be_cancelled(state):
    never = {State.IN_TRANSIT_WAITING, State.PARTIALLY_DELIVERED, State.DELIVERED, State.CANCELLED, *PASSING}
    assert (refuse_cancelling(state, Rules(manifested_cancellable=True)) is None) == (state not in never)


@pytest.mark.parametrize("state", list(State))
def test_ready_to_ship_can_be_refused_without_a_change_to_other_states(state):
    refused = refuse_cancelling(state, Rules(ready_to_ship_refused=True))
    assert refused == (Why.STATE if state is State.READY_TO_SHIP else refuse_cancelling(state, Rules()))
    assert (refuse_setting_back(state) is None) == (state is State.READY_TO_SHIP)


@pytest.mark.parametrize("state", list(State))
def test_deallocating_works_from_the_documented_states_alone(state):
    documented = {State.ALLOCATED, State.MANIFESTED, State.MANIFEST_FAILED}
    assert (refuse_deallocating(state) is None) == (state in documented)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal.state))
@pytest.mark.parametrize("operation", [CANCELLING, DEALLOCATING, SETTING_BACK])
def test_generic_words_are_one_text_whatever_the_reason(operation, refusal):
    words = refusal_words(operation, refusal, Style.GENERIC)
    assert words == f"Consignment {operation.noun} failed"
    assert operation.done != words


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal.state))
def test_words_with_the_state_name_it_and_a_code_does_not(refusal):
    named = refusal_words(CANCELLING, refusal, Style.STATE)
    code = refusal_words(CANCELLING, refusal, Style.CODE)
    assert (f"in state {refusal.state}" in named) == (refusal.state is not None)
    assert code == ("invalid_consignment_state" if refusal.state else "consignment_not_found")
    assert NAME not in named + code


def test_without_a_choice_the_words_are_those_of_old():
    assert [refusal_words(CANCELLING, refusal, Style.OWN) for refusal in REFUSALS[:1]] == [
        f"Consignment with reference {NAME} could not be found"
    ]
    cases = {
        State.CANCELLED: f"Consignment {NAME} has already been cancelled",
        State.ALLOCATING: f"Consignment {NAME} cannot be cancelled while it is Allocating, please try again later",
        State.MANIFESTED: f"Consignment {NAME} cannot be cancelled because it is in state Manifested",
    }
    for state, words in cases.items():
        refusal = Refusal(NAME, refuse_cancelling(state, Rules()), state)
        assert refusal_words(CANCELLING, refusal, Style.OWN) == words
    older = Refusal(NAME, refuse_cancelling(State.ALLOCATED, Rules(deallocate_first=True)), State.ALLOCATED)
    assert refusal_words(CANCELLING, older, Style.OWN) == (
        f"Consignment {NAME} is Allocated and must be deallocated before it can be cancelled"
    )


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Dispatched", State.DISPATCHED),
        ("In Transit - Waiting", State.IN_TRANSIT_WAITING),
        ("ready to ship", State.READY_TO_SHIP),
        ("Nowhere", None),
        ("", None),
    ],
)
def test_states_are_compared_by_their_letters(text, state):
    assert state_named(text) is state


@pytest.mark.parametrize("state", list(State))
def test_a_state_with_blanks_is_still_that_state(state):
    assert state_named(spaced(state)) is state
    assert spaced(State.IN_TRANSIT_WAITING) == "In Transit - Waiting"


@pytest.mark.parametrize(
    ("name", "in_camel", "in_snake"),
    [
        ("IsSuccess", "isSuccess", "is_success"),
        ("Data", "data", "data"),
        ("ApiLinks", "apiLinks", "api_links"),
        ("ExpectedDeliveryDate", "expectedDeliveryDate", "expected_delivery_date"),
    ],
)
def test_names_are_written_in_other_ways(name, in_camel, in_snake):
    assert (camel(name), snake(name)) == (in_camel, in_snake)


@pytest.mark.parametrize(
    ("method", "changes", "refused"),
    [
        ("PUT", {}, None),
        ("PUT", {"Content-Type": "text/xml; charset=utf-8"}, None),
        ("PUT", {"Content-Type": "Application/XML"}, None),
        ("PUT", {"Content-Type": "application/octet-stream"}, (415, "invalid_content_type")),
        ("PUT", {"Content-Type": None}, (415, "invalid_content_type")),
        ("POST", {"Content-Type": "text/plain"}, (415, "invalid_content_type")),
        ("GET", {"Content-Type": None}, None),
        ("GET", {"electio-api-version": None}, (400, "missing_api_version")),
        ("PUT", {"electio-api-version": "2.0"}, (400, "invalid_api_version")),
    ],
)
def test_a_strict_platform_wants_the_documented_headers(method, changes, refused):
    headers = {name: value for name, value in (GOOD | changes).items() if value is not None}
    answer = refuse_form(method, headers, 7)
    assert (answer and (answer.status, answer.content["Code"])) == refused
    assert answer is None or set(answer.content) == {"Code", "Message", "CorrelationId", "Details"}


def test_faults_at_a_reference_are_read_by_scope():
    places = parse_places({"ec-1": {"429-before": 3, "reads:state-missing": None}})
    assert places == {
        "EC-1": {
            Scope.LIST: ((FaultKind.STATUS_429_BEFORE, 3),),
            Scope.SINGLE: ((FaultKind.STATUS_429_BEFORE, 3),),
            Scope.READS: ((FaultKind.STATE_MISSING, None),),
        }
    }
    with pytest.raises(ValueError, match="unknown fault 'nonsense'"):
        parse_places({"EC-1": {"nonsense": None}})


def test_the_record_tells_the_state_of_a_time_past():
    world = World(1, 10, parse_mix("Manifested=1"))
    named = world.resolve(world.reference(3))
    world.deallocate(named, at=100.0)
    world.cancel(named, 5, Rules(), at=200.0)
    assert world.state_at(3, None) is State.CANCELLED
    assert world.state_at(3, 200.0) is State.CANCELLED
    assert world.state_at(3, 199.0) is State.UNALLOCATED
    assert world.state_at(4, 0.0) is State.MANIFESTED
    assert world.row(named[0])["changed_at"] == 200.0


def test_what_was_changed_once_was_before_as_it_began():
    world = World(1, 10, parse_mix("ReadyToShip=1"))
    world.set_back(world.resolve(world.reference(0)), at=100.0)
    assert world.state_at(0, 99.0) is State.READY_TO_SHIP
    assert world.state(0) is State.ALLOCATED
