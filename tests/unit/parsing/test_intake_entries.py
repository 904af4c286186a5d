import json

import pytest

from cancellist.jobs.model import JobRequest, Priority
from cancellist.jobs.parsing.intake_entry import parse_entry
from cancellist.jobs.parsing.intake_values import MalformedEntryError

NOW = 1_795_456_800_000
A, B = "EC-000-05D-1NS", "EC-000-05D-1NT"


ACCOUNTS = frozenset({"default", "north"})


def parse(**fields):
    given = {"references": A} | fields
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    return parse_entry(pairs, now_ms=NOW, accounts=ACCOUNTS)


@pytest.mark.parametrize(
    "text",
    [
        f"{A}\n{B}",
        f"{A}\r\n{B}\r\n",
        f"\n{A}\n\n  \n{B}\n",
        json.dumps([A, B]),
        f'  ["{A}",\n "{B}"]  ',
        json.dumps([A, "", "  ", B]),
    ],
)
def test_references_are_a_json_array_or_one_a_line(text):
    assert parse(references=text).references == [A, B]


def test_only_the_references_are_needed():
    parsed = parse_entry([(b"references", A.encode())], now_ms=NOW, accounts=ACCOUNTS)
    assert parsed.order == JobRequest()
    assert parsed.references == [A]


def test_all_fields_of_the_contract_are_read():
    order = parse(
        reason="flood", requested_by="ops", priority="Urgent", deadline="+2h", start_at="2026-11-23T19:00:00Z",
        account="north", idempotency_key="k1",
    ).order  # fmt: skip
    assert order == JobRequest("north", "flood", "ops", Priority.URGENT, NOW + 7_200_000, 1_795_460_400_000, "k1")


def test_empty_fields_are_as_if_they_were_absent():
    empty = dict.fromkeys(
        ["reason", "requested_by", "priority", "deadline", "start_at", "account", "idempotency_key"], ""
    )
    assert parse(**empty).order == JobRequest()


def test_references_are_handed_on_as_they_came():
    assert parse(references=f" {A.lower()} \nrubbish").references == [f" {A.lower()} ", "rubbish"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"references": ""}, "holds no reference"),
        ({"references": " \n\t\n"}, "holds no reference"),
        ({"references": "[]"}, "holds no reference"),
        ({"references": '["", " "]'}, "holds no reference"),
        ({"references": "[" + A + "]"}, "the JSON is malformed"),
        ({"references": f'["{A}"'}, "the JSON breaks off"),
        ({"references": f'["{A}"] x'}, "something follows the JSON array"),
        ({"references": f'["{A}", 5]'}, "array of strings"),
        ({"references": f'[["{A}"]]'}, "array of strings"),
        ({"references": f'[{{"Reference": "{A}"}}]'}, "array of strings"),
        ({"references": "[null]"}, "array of strings"),
        ({"priority": "high"}, "urgent, normal, bulk"),
        ({"deadline": "tomorrow"}, "'deadline'"),
        ({"deadline": "2026-11-23T18:00:00"}, "no offset"),
        ({"start_at": "2h"}, "'start_at'"),
        ({"account": "south"}, "default, north"),
        ({"refernces": A}, "unknown field 'refernces'"),
        ({"reason": "x" * 501}, "'reason' is longer"),
        ({"requested_by": "x" * 501}, "'requested_by' is longer"),
        ({"idempotency_key": "x" * 501}, "'idempotency_key' is longer"),
    ],
)
def test_a_malformed_entry_is_refused_with_the_reason(fields, reason):
    with pytest.raises(MalformedEntryError, match=reason):
        parse(**fields)


def test_an_entry_without_the_field_references_is_refused():
    with pytest.raises(MalformedEntryError, match="references"):
        parse_entry([(b"reason", b"flood")], now_ms=NOW, accounts=ACCOUNTS)


@pytest.mark.parametrize(
    "fields",
    [
        {"references": "[" * 200_000},
        {"references": "[" * 100_000 + "]" * 100_000},
        {"references": f'["{A}", {"9" * 5000}]'},
        {"deadline": f"+{'9' * 400}s"},
        {"start_at": f"+{'9' * 400}w"},
    ],
    ids=["open brackets", "nested brackets", "a long number", "a long deadline", "a long start"],
)
def test_a_hostile_entry_is_refused_as_any_malformed_one(fields):
    with pytest.raises(MalformedEntryError):
        parse(**fields)


@pytest.mark.parametrize(("text", "wanted"), [("true", True), (" TRUE ", True), ("false", False)])
def test_records_are_kept_where_it_says_so(text, wanted):
    assert parse(snapshot=text).order.snapshot is wanted


@pytest.mark.parametrize("text", ["1", "yes", "on", "truee"])
def test_whether_records_are_kept_is_never_guessed(text):
    with pytest.raises(MalformedEntryError, match="field 'snapshot' is"):
        parse(snapshot=text)
