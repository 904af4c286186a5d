from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure, refused_by_gateway
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.status_read import Found, StateClass, Unknown, Unread, judge_reading, state_class
from cancellist.jobs.responses.verdicts import Confirmed, Refused, Suspect, Unclear, Untaken

EXAMPLES = settings(max_examples=120, deadline=None)
POOL = [f"EC-000-05D-1N{c}" for c in "ABCDEFGH"]

asked = st.lists(st.sampled_from(POOL), min_size=1, max_size=8, unique=True)
plain = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=8))
junk = st.recursive(
    plain, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=4), x, max_size=3), max_leaves=6
)
data = st.one_of(
    st.sampled_from(POOL),
    st.sampled_from(POOL).map(str.lower),
    st.sampled_from(POOL).map("\t{} ".format),
    st.sampled_from([*POOL, "EC-999-999-999"]),
    junk,
)
success = st.one_of(st.booleans(), st.booleans(), junk)
items = st.one_of(
    st.fixed_dictionaries({"Data": data, "IsSuccess": success}, optional={"Message": junk}),
    st.dictionaries(st.sampled_from(["Data", "IsSuccess", "Message", "ApiLinks"]), junk),
    junk,
)
states = st.fixed_dictionaries(
    {},
    optional={
        "ConsignmentReferenceForAllLegsAssignedByMpd": data,
        "Status": st.one_of(st.sampled_from(["Cancelled", "cancelling", " Lost ", "Allocated", "Odd"]), junk),
    },
)
bodies = st.one_of(st.lists(items, max_size=10), items, states, st.just(UNREADABLE), junk)
statuses = st.one_of(
    st.sampled_from([200, 200, 200, 201, 204, 400, 401, 403, 404, 408, 413, 429, 500, 503]), st.integers(0, 999)
)
answers = st.one_of(
    st.builds(Answer, statuses, bodies, st.none() | st.floats(0, 3600)),
    st.builds(Failure, st.text(max_size=20), st.booleans()),
)


def named(body, reference):
    """What the items that name a reference say of its success."""
    return [
        item.get("IsSuccess")
        for item in (body if isinstance(body, list) else [body])
        if isinstance(item, dict) and isinstance(item.get("Data"), str) and item["Data"].strip().upper() == reference
    ]


@EXAMPLES
@given(asked, answers)
def test_whatever_is_answered_to_a_list_every_reference_gets_one_verdict(references, answer):
    judgement = judge(references, answer, single=False)
    for reference in references:
        assert isinstance(judgement.of(reference), Confirmed | Refused | Unclear | Untaken | Suspect)
    assert set(judgement.others) <= set(references)


@EXAMPLES
@given(st.sampled_from(POOL), answers)
def test_whatever_is_answered_to_one_alone_it_gets_one_verdict(reference, answer):
    judgement = judge([reference], answer, single=True)
    assert isinstance(judgement.of(reference), Confirmed | Refused | Unclear | Untaken)
    assert set(judgement.others) <= {reference}


@EXAMPLES
@given(asked, answers)
def test_a_list_confirms_only_what_its_answer_names_as_successful_and_never_otherwise(references, answer):
    judgement = judge(references, answer, single=False)
    for reference in references:
        if isinstance(judgement.of(reference), Confirmed):
            said = named(answer.body, reference)
            assert said
            assert all(word is True for word in said)
            assert 200 <= answer.status < 300


@EXAMPLES
@given(st.sampled_from(POOL), answers)
def test_one_alone_is_confirmed_only_without_a_body_or_by_its_name(reference, answer):
    verdict = judge([reference], answer, single=True).of(reference)
    if isinstance(verdict, Confirmed):
        assert 200 <= answer.status < 300
        if answer.body is not None:
            said = named(answer.body, reference)
            assert said
            assert all(word is True for word in said)


@EXAMPLES
@given(asked, answers, st.booleans())
def test_what_the_platform_may_have_acted_on_is_never_taken_as_untouched(references, answer, single):
    references = references[:1] if single else references
    judgement = judge(references, answer, single=single)
    for reference in references:
        verdict = judgement.of(reference)
        if isinstance(answer, Failure):
            assert isinstance(verdict, Unclear if answer.written else Untaken)
        elif answer.status >= 500 or answer.status < 200 or 300 <= answer.status < 400:
            assert isinstance(verdict, Unclear)
        elif answer.status < 300:
            assert not isinstance(verdict, Untaken)
        elif isinstance(verdict, Untaken):
            assert answer.status in {401, 403} or refused_by_gateway(answer)
        else:
            assert not isinstance(verdict, Confirmed)


@EXAMPLES
@given(asked, st.lists(items, max_size=10), st.randoms())
def test_the_order_of_an_answer_does_not_matter(references, body, random):
    shuffled = list(body)
    random.shuffle(shuffled)
    first = judge(references, Answer(200, body), single=False)
    second = judge(references, Answer(200, shuffled), single=False)
    assert [type(first.of(r)) for r in references] == [type(second.of(r)) for r in references]


@EXAMPLES
@given(st.sampled_from(POOL), answers)
def test_whatever_is_answered_to_a_reading_it_is_one_of_three(reference, answer):
    reading = judge_reading(reference, answer)
    assert isinstance(reading, Found | Unknown | Unread)
    if isinstance(reading, Found):
        assert 200 <= answer.status < 300
        assert answer.body["Status"].strip() == reading.state != ""
        about = answer.body.get("ConsignmentReferenceForAllLegsAssignedByMpd")
        assert not isinstance(about, str) or about.strip().upper() == reference
    if isinstance(reading, Unknown):
        assert answer.status == 404


@EXAMPLES
@given(st.text())
def test_every_state_has_a_standing_and_only_cancelled_counts_as_cancelled(state):
    assert (state_class(state) is StateClass.CANCELLED) == (state.strip().lower() == "cancelled")
