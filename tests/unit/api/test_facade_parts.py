"""The pure parts of the facade: what became of a reference in the platform's form, and lists read as they come."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.api.facade import platform_errors
from cancellist.api.facade.asked_references import BATCH, AskedList, RepeatedError
from cancellist.api.facade.list_body import NO_LIST, ListReader
from cancellist.api.facade.platform_errors import RefusedError
from cancellist.api.facade.platform_words import DONE, Became, item, refusal, succeeded, tally, words
from cancellist.api.problem_kinds import KINDS
from cancellist.api.problems import FieldError, ProblemError
from cancellist.jobs.model import Outcome, Result

REFERENCE = "EC-000-05D-1NS"
THEIR_WORDS = "No, says the platform"
# outcome: whether it is a success, whether the platform's words are told, the status of one alone
MEANING = {
    Outcome.CANCELLED: (True, False, 200),
    Outcome.ALREADY_CANCELLED: (True, False, 200),
    Outcome.MANIFESTED: (False, True, 400),
    Outcome.NOT_FOUND: (False, True, 404),
    Outcome.REJECTED: (False, True, 400),
    Outcome.INVALID: (False, False, 404),
    Outcome.UNCONFIRMED: (False, False, 504),
    Outcome.FAILED: (False, False, 504),
    Outcome.EXPIRED: (False, False, 504),
    Outcome.ABORTED: (False, False, 504),
    None: (False, False, 504),
}


def test_every_outcome_has_a_meaning():
    assert set(MEANING) == {*Outcome, None}


@pytest.mark.parametrize("outcome", MEANING)
@pytest.mark.parametrize("message", [None, THEIR_WORDS])
def test_each_outcome_has_its_answer_in_the_platforms_form(outcome, message):
    success, theirs, status = MEANING[outcome]
    became = Became(REFERENCE, outcome, message)
    told = item(became)
    assert list(told) == ["IsSuccess", "Message", "Data", "ApiLinks"]
    assert (told["IsSuccess"], told["Data"], told["ApiLinks"]) == (success, REFERENCE, None)
    assert (told["Message"] == DONE) == success
    assert (told["Message"] == THEIR_WORDS) == (theirs and message is not None)
    if not success and told["Message"] != THEIR_WORDS:
        assert REFERENCE in told["Message"]
    alone = refusal(became)
    assert (alone.status if alone else 200) == status
    assert succeeded(became) == success


def test_what_is_not_known_or_not_done_has_a_code_of_its_own_each():
    unsure = [outcome for outcome, (_, _, status) in MEANING.items() if status == 504]
    assert len({refusal(Became(REFERENCE, outcome)).code for outcome in unsure}) == len(unsure)
    for outcome in (Outcome.UNCONFIRMED, None):
        assert "not known" in words(Became(REFERENCE, outcome))
    for outcome in (Outcome.FAILED, Outcome.EXPIRED, Outcome.ABORTED):
        assert "was not cancelled, and not refused" in words(Became(REFERENCE, outcome))


def test_a_tally_counts_results_by_outcome():
    assert tally({None: 2, Outcome.FAILED: 1, Outcome.CANCELLED: 3}) == "cancelled=3, failed=1, unknown=2"


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_has_the_platforms_form(code):
    problem = ProblemError(code, "what is wrong", errors=[FieldError("a", "b")])
    answer = platform_errors.respond(problem, "id-1")
    document = orjson.loads(answer.body)
    kind = KINDS[code]
    if code in {"unauthorized", "not_found", "method_not_allowed"}:
        assert list(document) == ["statusCode", "message"]
        assert document["statusCode"] == answer.status_code == kind.status
    else:
        assert list(document) == ["Code", "Message", "CorrelationId", "Details"]
        assert (document["Message"], document["CorrelationId"]) == ("what is wrong", "id-1")
        assert [list(one) for one in document["Details"]] == [["Code", "Target", "Message"]]
        bad = kind.status == 422 and code != "idempotency_conflict"
        assert answer.status_code == (400 if bad else kind.status)
    assert ("retry-after" in answer.headers) == kind.retry


def read(body: bytes, cuts: list[int]) -> list[str]:
    reader, found, at = ListReader(), [], 0
    for cut in [*sorted(cut % (len(body) + 1) for cut in cuts), len(body)]:
        found += reader.feed(body[at:cut])
        at = cut
    return [*found, *reader.feed(b"", final=True)]


CUTS = st.lists(st.integers(0, 1000), max_size=20)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1), CUTS, st.booleans())
def test_a_list_is_read_whole_however_it_is_cut(values, cuts, escaped):
    body = json.dumps(values, ensure_ascii=escaped, indent=1 if len(values) % 2 else None).encode()
    assert read(body, cuts) == values


WORTH = st.sampled_from([*'[]",:{}\\ \n', "EC-1", '"a"', '"b"', "1", "null", "true", "\\u12", "\xe9"])


@given(st.lists(WORTH).map("".join), CUTS)
def test_the_list_reader_accepts_what_a_json_parser_accepts(text, cuts):
    body = text.encode()
    try:
        loaded = orjson.loads(body)
    except orjson.JSONDecodeError:
        loaded = None
    good = isinstance(loaded, list) and loaded and all(isinstance(one, str) and one for one in loaded)
    if good:
        assert read(body, cuts) == loaded
        return
    with pytest.raises(RefusedError) as caught:
        read(body, cuts)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"{}", b'"a"', b"17"])
def test_a_body_that_is_no_list_is_refused_as_that(body):
    with pytest.raises(RefusedError) as caught:
        read(body, [])
    assert caught.value.message == NO_LIST


def test_a_text_without_an_end_is_not_kept_for_ever():
    reader = ListReader()
    assert list(reader.feed(b'["' + b"a" * 4000)) == []
    with pytest.raises(RefusedError):
        list(reader.feed(b"a" * 4000))


def result(reference: str, outcome: Outcome, message: str | None = None) -> Result:
    return Result("job", reference, outcome, status=200, attempts=1, message=message, state=None, at_ms=0)


def test_what_is_asked_for_stays_in_its_order_whatever_order_results_come_in():
    with AskedList() as asked:
        names = [f"R-{n:05}" for n in range(2 * BATCH + 7)]
        for at in range(0, len(names), 100):
            asked.add([(name, name.lower(), True) for name in names[at : at + 100]])
        asked.add([("X", "x", False)])
        asked.note(result(name, Outcome.CANCELLED) for name in reversed(names[1:]))
        found = [one for page in asked.pages() for one in page]
        assert [one.reference for one in found] == [*(name.lower() for name in names), "x"]
        assert [one.outcome for one in found[:2]] == [None, Outcome.CANCELLED]
        assert asked.counts() == {None: 1, Outcome.CANCELLED: len(names) - 1, Outcome.INVALID: 1}
        assert asked.total == len(names) + 1


@pytest.mark.parametrize("at", ["within a batch", "in another"])
def test_what_is_there_twice_is_named_as_it_was_written_last(at):
    first, second = ("EC-1", "EC-1", True), ("EC-1", " ec-1", True)
    with AskedList() as asked:
        if at == "in another":
            asked.add([first])
        with pytest.raises(RepeatedError) as caught:
            asked.add([second] if at == "in another" else [first, second])
    assert caught.value.reference == " ec-1"
