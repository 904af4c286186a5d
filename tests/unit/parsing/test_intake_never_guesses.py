"""An entry of the intake stream is taken whole and right, or refused whole with a reason of bounded length."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.limits import parse_limit
from cancellist.jobs.parsing.documents import Reader
from cancellist.jobs.parsing.intake_entry import MAX_BYTES, parse_entry, sift
from cancellist.jobs.parsing.intake_values import MAX_REASON, MalformedEntryError
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN, ReferencePattern
from cancellist.jobs.parsing.references import classify

NOW = 1_795_456_800_000
A, B, C = "EC-000-05D-1NS", "EC-000-05D-1NT", "EC-000-05D-1NU"
TENTH = parse_limit("10%")
PATTERN = ReferencePattern(DEFAULT_PATTERN)
BOM = "\ufeff"


def read(*pairs: tuple[str | bytes, str | bytes]) -> list[str]:
    """The references of an entry as they are handed in."""
    raw = [tuple(word if isinstance(word, bytes) else word.encode() for word in pair) for pair in pairs]
    wanted = parse_entry(raw, now_ms=NOW, accounts=frozenset({"default"}))
    return [reference for batch in sift(wanted.references, PATTERN, most=TENTH) for reference in batch.valid]


def refusal(*pairs: tuple[str | bytes, str | bytes]) -> str:
    """Why an entry is refused; one line that a log and a stream can hold."""
    with pytest.raises(MalformedEntryError) as caught:
        read(*pairs)
    reason = str(caught.value)
    assert reason.isprintable()
    assert 0 < len(reason) <= MAX_REASON
    return reason


@pytest.mark.parametrize(
    "values",
    [
        [A, B, C],
        [f"{A}\n{B}", C],
        [json.dumps([A]), f"{B}\r\n{C}\r\n"],
        [json.dumps([A, B]), json.dumps([C])],
        [BOM + A, BOM + json.dumps([B]), f"\u200b{C}"],
        [A, "", f"\n \n{BOM}\n{B}", json.dumps(["", " ", C, "\u200b"])],
        [f"{A}\r{B}\r{C}"],
        [f"\t {json.dumps([A, B, C], indent=2)}\n\n"],
    ],
)
def test_repeated_reference_fields_are_joined_in_order_and_blank_ones_skipped(values):
    assert read(*(("references", value) for value in values)) == [A, B, C]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("reason", "x"), ("reason", "y")], "field 'reason' is given twice"),
        ([("account", "default"), ("account", "default")], "field 'account' is given twice"),
        ([("deadline", "+2h"), ("deadline", "+3h")], "field 'deadline' is given twice"),
        ([("References", B)], "unknown field 'References', did you mean 'references'?"),
        ([("REASON", "x")], "unknown field 'REASON', did you mean 'reason'?"),
        ([("start-at", "+1h")], "did you mean 'start_at'?"),
        ([(" reason", "x")], "did you mean 'reason'?"),
        ([(BOM + "references", B)], "did you mean 'references'?"),
        ([("", "x")], "unknown field ''"),
        ([("x" * 9_000_000, "x")], "unknown field 'xxx"),
        ([("a\nb\x1b[31m", "x")], r"unknown field 'a\nb\x1b"),
        ([("reason", b"caf\xe9")], "field 'reason' is not UTF-8 text (byte 3)"),
        ([(b"reas\xffon", "x")], "the name of a field is not UTF-8 text (byte 4)"),
        ([("references", A.encode("utf-16"))], "field 'references' is not UTF-8 text (byte 0)"),
        ([("references", b"\x1f\x8b\x08\x00\xff\x00")], "field 'references' is not UTF-8 text"),
        ([("priority", "x" * 100_000)], "priority 'xxx"),
        ([("account", "y" * 100_000)], "no account 'yyy"),
        ([("deadline", "9" * 100_000)], "field 'deadline' is longer than 500 characters"),
        ([("deadline", "z" * 400)], "field 'deadline'"),
        ([("deadline", "2026-11-23T17:00:00Z")], "is past"),
        ([("deadline", "+0s")], "is past"),
        ([("deadline", "+1h"), ("start_at", "+2h")], "is not before the deadline"),
        ([("deadline", "+2h"), ("start_at", "+2h")], "is not before the deadline"),
        ([("deadline", "0001-01-01T00:00:00+14:00")], "field 'deadline'"),
        ([("start_at", "9999-12-31T23:59:59-14:00")], "field 'start_at'"),
    ],
)
def test_what_is_not_surely_understood_refuses_all_of_the_entry(pairs, words):
    assert words in refusal(("references", A), *pairs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({"references": [A, B]}), "an object and no array"),
        (json.dumps({"consignments": [A], "keep": [B]}), "an object and no array"),
        (json.dumps([{"reference": A}]), "array of strings"),
        (json.dumps([A, None]), "array of strings"),
        (json.dumps([A, 5]), "array of strings"),
        (json.dumps([A, [B]]), "array of strings"),
        (f'{{"reference": "{A}"}}\n{{"reference": "{B}"}}', "an object and no array"),
        (f'["{A}"]{{}}', "something follows the JSON array"),
        (f'["{A}", "{B}"', "the JSON breaks off"),
        (f"['{A}', '{B}']", "the JSON is malformed"),
        ("[" * 200_000, "nested too deeply"),
        (f"{A},{B}", "holds a reference among other words"),
        (f"{A};keep\n{B};cancel", "holds a reference among other words"),
        (f"{A}\t{B}", "holds a reference among other words"),
        (f"please cancel {A}\n{B}", "holds a reference among other words"),
        (rf"{A}\n{B}", "holds a reference among other words"),
        (f"{A}: keep\n{B}", "holds a reference among other words"),
        (f"{A}=keep\n{B}", "holds a reference among other words"),
        (f"{A} # keep\n{B}", "holds a reference among other words"),
        (f"{A} (urgent)\n{B}", "holds a reference among other words"),
        (json.dumps([A, f"{B}:x"]), "holds a reference among other words"),
        ("<html><body>sign in</body></html>", "a web page"),
        (f"Order,Reference\n1,{A}\n", "holds a reference among other words"),
        (f"%PDF-1.4\n{A}\n", "a PDF"),
        (f"Subject: x\n{A}\n", "a heading or a remark"),
        (f"{A}\nBatch 2\n{B}\n", "a heading or a remark"),
        (f"{A}\n# keep\n{B}\n", "no plain list"),
        (json.dumps([{"reference": A}, {"reference": B}]), "array of strings"),
        ("\x00\x01\x02", "none of the 1 entries"),
        ("x" * 1_000_000, "none of the 1 entries"),
        ("", "holds no reference"),
        (f"\n \u200b{BOM}\n", "holds no reference"),
        ("[]", "holds no reference"),
    ],
)
def test_references_in_another_form_refuse_all_of_the_entry(text, words):
    assert words in refusal(("references", text))


@pytest.mark.parametrize(
    "text",
    [
        f"{A},\n{B},", f"# returns of today\n{A}\n{B}", f"// by us\n\n{A};\n{B};\n",
        f"'{A}'\n'{B}'", f'"{A}"\n"{B}"', f'"{A}",\n"{B}",\n', f'="{A}"\n="{B}"',
        f"{A}\n{B}\x1a", json.dumps([A, B], indent=1),
        f"{BOM}# x\n{A}\n\n{B}", f" {A.lower()}\n\t{B}\u00a0",
    ],
)  # fmt: skip
def test_the_field_is_read_as_a_file_of_lines_or_json_is(text):
    reader = Reader(pattern=PATTERN)
    in_file = [one for raw in (*reader.feed(text.encode()), *reader.flush()) for one in classify(raw, PATTERN).valid]
    assert read(("references", text)) == in_file == [A, B]


@pytest.mark.parametrize("header", ["reference", "Sendung", "not one"])
def test_words_above_the_references_are_a_malformed_entry(header):
    pairs = [(b"references", f"{header}\n{A}\n{B}".encode())]
    wanted = parse_entry(pairs, now_ms=NOW, accounts=frozenset({"default"}))
    assert wanted.references == [header, A, B]
    (batch,) = sift(wanted.references, PATTERN, most=TENTH)
    assert (batch.valid, [entry.text for entry in batch.invalid]) == ([A, B], [header])


def test_the_pattern_of_the_account_decides_on_what_has_a_structure():
    pattern = ReferencePattern(r"#[0-9]+:")
    wanted = parse_entry(
        [(b"references", b"#1:\n#2:"), (b"account", b"north")],
        now_ms=NOW, accounts=frozenset({"north"}), patterns={"north": pattern},
    )  # fmt: skip
    assert [one for batch in sift(wanted.references, pattern, most=TENTH) for one in batch.valid] == ["#1:", "#2:"]


@pytest.mark.parametrize("text", [json.dumps({"references": [A]}), f"{A},{B}", json.dumps([1]), b"\xff"])
def test_one_field_that_is_not_understood_refuses_the_others_too(text):
    refusal(("references", C), ("references", text), ("references", C))


def test_an_entry_is_bounded_in_all_and_at_its_bound_it_is_taken():
    beside = len("references") + len(A) + 1
    assert "more than 64,000,000" in refusal(("references", A + "\n" * (MAX_BYTES - beside + 2)))
    assert read(("references", A + "\n" * (MAX_BYTES - beside + 1))) == [A]


@pytest.mark.parametrize(
    ("valid", "malformed", "taken"),
    [(1, 0, True), (0, 1, False), (1, 9, True), (10, 1, True), (9, 2, False), (90, 10, True), (89, 11, False)],
)
def test_too_many_malformed_entries_refuse_all_of_them(valid, malformed, taken):
    text = "\n".join([*[A] * valid, *["rubbish", ""] * malformed])
    if taken:
        assert read(("references", text)) == [A] * valid
    else:
        assert f"of the {valid + malformed} entries" in refusal(("references", text))


def test_the_share_may_be_another():
    mixed = [A, B, "rubbish"]
    assert [len(batch.invalid) for batch in sift(mixed, PATTERN, most=TENTH)] == [1]
    with pytest.raises(MalformedEntryError, match=r"1 of the 3 entries .* at most 0 may be"):
        sift(mixed, PATTERN, most=parse_limit("0"))


def test_a_reference_among_other_words_is_found_wherever_it_stands():
    many = [f"EC-{n // 36**2:03d}-AAA-{n % 1000:03d}" for n in range(25_000)]
    with pytest.raises(MalformedEntryError, match=r"entry 25,001 of"):
        sift([*many, f"{A},{B}"], PATTERN, most=TENTH)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"references", b"reason", b"account", b"deadline", b"priority", b"start_at", b"x", b"\xff"]
            ),
            st.one_of(
                st.binary(max_size=60),
                st.just(A.encode()),
                st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")),
            ),
        ),
        max_size=6,
    )
)
def test_whatever_comes_it_is_an_order_or_a_reason(pairs):
    if any(name in {b"x", b"\xff"} for name, _ in pairs):
        refusal(*pairs)
        return
    try:
        found = read(*pairs)
    except MalformedEntryError:
        refusal(*pairs)
    else:
        assert found == [A] * len(found) != []


@pytest.mark.parametrize("heading", ["keep:", "keep", "do not cancel", "== keep =="])
def test_lines_with_headings_are_refused_whole_and_an_array_is_no_list_of_lines(heading):
    assert "heading" in refusal(("references", f"{A}\n{heading}\n{B}"))
    assert read(("references", json.dumps([A, heading, B]))) == [A, B]


@pytest.mark.parametrize("name", ["plan", "expect_count", "canary", "hold", "max_refused", "max_unconfirmed"])
@pytest.mark.parametrize("value", ["", BOM, " ", "\u200b"])
def test_a_safeguard_without_a_value_is_never_left_out(name, value):
    pairs = [(b"references", A.encode()), (name.encode(), value.encode())]
    try:
        order = parse_entry(pairs, now_ms=NOW, accounts=frozenset({"default"})).order
    except MalformedEntryError as refused:
        assert name in str(refused)  # noqa: PT017 - a token may be any text: the ledger refuses one of no plan
    else:
        assert (name, order.plan) == ("plan", value)
