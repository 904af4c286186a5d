"""What counts as an answer to a search, and whether a record shows that it matches a filter."""

import pytest

from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.search import Match, Matches, Unusable, judge_search, match_of, sampled
from cancellist.jobs.responses.search_filters import NAMES, parse_filters

ONE, TWO = "EC-000-05D-1NS", "EC-000-05D-1NT"
ERROR = {"Code": "any", "Message": "any", "CorrelationId": "any"}
PATTERN = ReferencePattern()


@pytest.mark.parametrize(
    ("answer", "references"),
    [
        (Answer(200, [ONE, TWO]), (ONE, TWO)),
        (Answer(200, [ONE.lower(), f" {ONE} ", TWO]), (ONE, TWO)),
        (Answer(200, []), ()),
        (Answer(404, ERROR), ()),
    ],
)
def test_a_plain_list_of_references_counts(answer, references):
    assert judge_search(answer, PATTERN) == Matches(references)


@pytest.mark.parametrize(
    "answer",
    [
        Failure("no answer in time", written=True),
        *(Answer(200, body) for body in (None, UNREADABLE, {}, {"References": [ONE]}, ONE, [[ONE]], [ONE, None])),
        *(Answer(200, [ONE, odd]) for odd in (1, "", "EC-1", {"Reference": TWO}, True, f"{TWO}\n{ONE}")),
        Answer(200, [ONE], age_s=300),
        *(Answer(status, [ONE]) for status in (201, 202, 204, 206, 302, 400, 404, 500)),
        Answer(404, None),
        Answer(404, {"statusCode": 404, "message": "Resource not found"}),
        *(Answer(status, ERROR) for status in (400, 401, 403, 413, 429, 500, 503)),
    ],
)
def test_any_other_answer_counts_for_nothing(answer):
    assert isinstance(judge_search(answer, PATTERN), Unusable)


RECORD = {
    "Reference": ONE, "ConsignmentState": "Ready To Ship", "Direction": "Outbound", "LabelsPrinted": False,
    "DateCreated": "2026-08-01T12:00:00+01:00", "Weight": {"Value": 1.5, "Unit": "Kg"}, "Value": {"Amount": 20},
    "Addresses": [
        {"AddressType": "Origin", "ShippingLocationReference": "EDC5", "Postcode": "LS1 1AA"},
        {"AddressType": "Destination", "Postcode": "M1 1AA", "Country": {"IsoCode": {"TwoLetterCode": "GB"}}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("State=ReadyToShip", Match.YES), ("State=Allocated", Match.NO),
        ("Direction=Outbound", Match.YES), ("Direction=Inbound", Match.NO),
        ("LabelsPrinted=false", Match.YES), ("LabelsPrinted=true", Match.NO),
        ("ShippingLocationReference=EDC5", Match.YES), ("ShippingLocationReference=EDC", Match.NO),
        ("PostCode=M1 1AA", Match.YES), ("PostCode=LS1 1AA", Match.NO),
        ("DestinationCountryCode=gb", Match.YES), ("DestinationCountryCode=IE", Match.NO),
        ("CreatedDateFrom=2026-08-01T11:00:00Z", Match.YES), ("CreatedDateFrom=2026-08-01T11:00:01Z", Match.NO),
        ("CreatedDateTo=2026-08-01T11:00:00Z", Match.YES), ("CreatedDateTo=2026-08-01T10:59:59Z", Match.NO),
        ("WeightInGramsFrom=1500", Match.YES), ("WeightInGramsTo=1499", Match.NO),
        ("ValueFrom=20", Match.YES), ("ValueTo=19.99", Match.NO),
        ("CarrierService=X", Match.UNSHOWN), ("DestinationRegion=Kent", Match.UNSHOWN),
    ],
)  # fmt: skip
def test_a_record_shows_whether_it_matches(text, match):
    assert match_of(RECORD, parse_filters([text])[0]) is match


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_record_shows_nothing_of_any_filter(name):
    value = {"State": "Allocated", "Direction": "Inbound", "LabelsPrinted": "true", "DestinationCountryCode": "GB"}
    usual = "2026-08-01T00:00:00Z" if "Date" in name else "1"
    assert match_of({}, parse_filters([f"{name}={value.get(name, usual)}"])[0]) is Match.UNSHOWN


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6, 1000])
def test_a_sample_is_drawn_over_all(count):
    all_of_them = [str(n) for n in range(count)]
    sample = sampled(all_of_them, 5)
    assert len(sample) == min(count, 5)
    assert sample == sorted(sample, key=int)
    if count:
        assert (sample[0], sample[-1]) == (all_of_them[0], all_of_them[-1])
