import gzip
import zlib
from collections import Counter

import orjson
import pytest

from cancellist.sandbox.answers.answers import Answer, Delivery, encode, error
from cancellist.sandbox.faults import distortions
from cancellist.sandbox.faults.distortions import distort
from cancellist.sandbox.faults.faults import Fault, decide, parse_faults
from cancellist.sandbox.faults.kinds import APPLIES, Acts, FaultKind, Scope, acts, meaning
from cancellist.sandbox.world.references import reference

ITEMS = [
    {"IsSuccess": index % 3 > 0, "Message": "m", "Data": reference(1, index), "ApiLinks": None} for index in range(30)
]


def test_faults_come_true_as_often_as_asked_and_the_same_again():
    plan = parse_faults({"html": 0.2, "503-before": 0.05})[Scope.LIST]
    decided = [decide(3, number, plan) for number in range(20_000)]
    counts = Counter(fault.kind for fault in decided if fault)
    assert counts[FaultKind.HTML] / 20_000 == pytest.approx(0.2, abs=0.01)
    assert counts[FaultKind.STATUS_503_BEFORE] / 20_000 == pytest.approx(0.05, abs=0.01)
    assert len(counts) == 2
    assert decided == [decide(3, number, plan) for number in range(20_000)]
    assert decided != [decide(4, number, plan) for number in range(20_000)]


@pytest.mark.parametrize("kind", FaultKind)
def test_a_certain_fault_comes_true_every_time(kind):
    assert all(decide(1, number, ((kind, 1.0),)).kind is kind for number in range(200))


def test_without_a_scope_a_fault_is_for_cancels_where_it_makes_sense():
    plans = parse_faults({"half-list": 0.1, "500-after": 0.2, "reads:500-before": 0.3, "single:500-after": 0.4})
    assert dict(plans[Scope.LIST]) == {FaultKind.HALF_LIST: 0.1, FaultKind.STATUS_500_AFTER: 0.2}
    assert dict(plans[Scope.SINGLE]) == {FaultKind.STATUS_500_AFTER: 0.4}
    assert dict(plans[Scope.READS]) == {FaultKind.STATUS_500_BEFORE: 0.3}
    assert plans[Scope.DEALLOCATE] == plans[Scope.SEARCH] == ()


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"nonsense": 0.1}, "^unknown fault 'nonsense'; `cancellist sandbox --fault help` lists them all$"),
        ({"truncatd": 0.1}, r"^unknown fault 'truncatd'; did you mean truncated\?"),
        ({"writes:html": 0.1}, "unknown scope 'writes'"),
        ({"html": 1.1}, "from 0 to 1"),
        ({"html": 0.6, "null": 0.6}, "add up to 1.2"),
        (
            {"state-unknown": 0.1},
            "^the fault state-unknown does not apply to list or single calls; write reads:",
        ),
        ({"single:shuffled": 0.1}, "list:shuffled"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(faults, words):
    with pytest.raises(ValueError, match=words):
        parse_faults(faults)


@pytest.mark.parametrize("kind", FaultKind)
def test_what_a_fault_does_follows_from_its_name(kind):
    if kind.endswith("-before") or kind in {"401", "403", "redirect"}:
        assert acts(kind) is Acts.NOTHING
    elif kind.startswith("half-acted"):
        assert acts(kind) is Acts.HALF
    elif kind.endswith("-late") and kind is not FaultKind.SURPLUS_LATE:
        assert acts(kind) is Acts.LATE
    else:
        assert acts(kind) is Acts.ALL


@pytest.mark.parametrize("scope", Scope)
def test_every_fault_applies_to_some_call_and_faults_of_reads_act_on_nothing(scope):
    assert APPLIES[scope]
    if scope in {Scope.READS, Scope.SEARCH}:
        assert not any(kind.endswith("-after") for kind in APPLIES[scope])
        assert all(acts(kind) in {Acts.NOTHING, Acts.ALL} for kind in APPLIES[scope])
    assert set().union(*APPLIES.values()) == set(FaultKind)


def test_each_fault_has_a_meaning_of_its_own():
    assert len({meaning(kind) for kind in FaultKind}) == len(FaultKind)


def listed(kind, salt=5):
    return distort(Answer(200, [dict(item) for item in ITEMS]), Fault(kind, salt))


def names(answer):
    return [item["Data"] for item in answer.content]


def test_half_of_a_list_is_missing_and_the_rest_is_as_it_was():
    content = listed(FaultKind.HALF_LIST).content
    assert len(content) == 15
    assert [item for item in ITEMS if item in content] == content


def test_a_shuffled_list_has_the_same_items_in_another_order():
    content = listed(FaultKind.SHUFFLED).content
    assert content != ITEMS
    assert sorted(content, key=lambda item: item["Data"]) == sorted(ITEMS, key=lambda item: item["Data"])


def test_an_extra_item_names_a_reference_that_nobody_asked_for():
    extra = set(names(listed(FaultKind.EXTRA_ITEM))) - {item["Data"] for item in ITEMS}
    assert len(extra) == 1


def test_a_doubled_item_is_there_twice():
    answer = listed(FaultKind.DOUBLED_ITEM)
    assert sorted(Counter(names(answer)).values())[-2:] == [1, 2]
    assert all(item in ITEMS for item in answer.content)


def test_a_contradiction_says_both_of_one_reference():
    twice = Counter(names(listed(FaultKind.CONTRADICTION))).most_common(1)[0][0]
    said = {item["IsSuccess"] for item in listed(FaultKind.CONTRADICTION).content if item["Data"] == twice}
    assert said == {True, False}


def test_garbled_fields_hit_some_items_and_leave_the_others():
    null, mistyped = listed(FaultKind.DATA_NULL).content, listed(FaultKind.DATA_MISTYPED).content
    missing, odd = listed(FaultKind.SUCCESS_MISSING).content, listed(FaultKind.SUCCESS_MISTYPED).content
    hits = [
        sum(item["Data"] is None for item in null),
        sum(not isinstance(item["Data"], str) for item in mistyped),
        sum("IsSuccess" not in item for item in missing),
        sum(not isinstance(item["IsSuccess"], bool) for item in odd),
    ]
    assert hits == [10, 10, 10, 10]


def test_other_case_changes_only_the_letters():
    assert names(listed(FaultKind.DATA_OTHER_CASE)) == [item["Data"].lower() for item in ITEMS]


def test_the_same_salt_hits_the_same_items():
    assert listed(FaultKind.HALF_LIST, 5) == listed(FaultKind.HALF_LIST, 5) != listed(FaultKind.HALF_LIST, 6)


def test_a_list_of_one_and_a_call_alone_survive_every_fault():
    for kind in APPLIES[Scope.LIST]:
        assert isinstance(distort(Answer(200, [dict(ITEMS[0])]), Fault(kind, 1)), Answer)
    for kind in APPLIES[Scope.SINGLE]:
        assert isinstance(distort(Answer(200), Fault(kind, 1)), Answer)


def test_a_refusal_is_not_garbled_but_an_error_takes_its_place():
    refusal = error(400, "code", "words")
    assert distort(refusal, Fault(FaultKind.HTML, 1)) is refusal
    assert distort(refusal, Fault(FaultKind.STATUS_503_AFTER, 1)).status == 503


@pytest.mark.parametrize("status", [500, 502, 503, 520, 521, 599])
def test_any_status_can_be_a_fault(status):
    assert distortions._failure(status).status == status


def test_bodies_that_are_wrong_as_a_whole():
    assert encode(listed(FaultKind.NULL), gzipped=True)[0] == b"null"
    assert encode(listed(FaultKind.EMPTY), gzipped=True)[0] == b""
    assert isinstance(orjson.loads(encode(listed(FaultKind.OBJECT), gzipped=False)[0]), dict)
    assert encode(listed(FaultKind.HTML), gzipped=False)[1]["Content-Type"].startswith("text/html")
    with pytest.raises(UnicodeDecodeError):
        encode(listed(FaultKind.WRONG_ENCODING), gzipped=False)[0].decode()
    body, headers = encode(listed(FaultKind.BROKEN_GZIP), gzipped=True)
    assert headers["Content-Encoding"] == "gzip"
    with pytest.raises(zlib.error):
        zlib.decompress(body, 31)
    assert listed(FaultKind.TRUNCATED).delivery is Delivery.CUT


def test_closing_is_sometimes_a_reset():
    deliveries = {listed(FaultKind.CLOSE_AFTER, salt).delivery for salt in range(2)}
    assert deliveries == {Delivery.CLOSE, Delivery.RESET}


def test_states_read_back_can_be_unheard_of_or_missing():
    document = {"ConsignmentReferenceForAllLegsAssignedByMpd": "EC-1", "Status": "Allocated"}
    assert distort(Answer(200, document), Fault(FaultKind.STATE_MISSING, 1)).content == {
        "ConsignmentReferenceForAllLegsAssignedByMpd": "EC-1"
    }
    assert distort(Answer(200, document), Fault(FaultKind.STATE_UNKNOWN, 1)).content["Status"] == "AwaitingTeleport"
    lower = distort(Answer(200, {"Reference": "EC-1", "ConsignmentState": "x"}), Fault(FaultKind.DATA_OTHER_CASE, 1))
    assert lower.content["Reference"] == "ec-1"
    assert document["Status"] == "Allocated"


def test_only_a_large_body_is_packed_and_only_for_who_accepts_it():
    large = Answer(200, ITEMS)
    body, headers = encode(large, gzipped=True)
    assert headers["Content-Encoding"] == "gzip"
    assert orjson.loads(gzip.decompress(body)) == ITEMS
    assert "Content-Encoding" not in encode(large, gzipped=False)[1]
    assert "Content-Encoding" not in encode(Answer(200, ITEMS[:1]), gzipped=True)[1]
