import re
import sys

import pytest

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN, MAX_LENGTH, WHITE_SPACE, ReferencePattern
from cancellist.jobs.parsing.references import Batch, InvalidEntry, RawBatch, classify, normalise

PATTERN = ReferencePattern()
A, B, C = "EC-000-05D-1NS", "EC-000-05D-1NT", "EC-000-05D-1NU"


def check(*values, pattern=PATTERN):
    return classify(RawBatch(range(1, len(values) + 1), list(values)), pattern)


@pytest.mark.parametrize(
    "raw",
    [
        A,
        f"  {A}\t",
        f"\u00a0{A}\u00a0",
        f"\ufeff{A}",
        f"\u200b{A}\u200d\u2060",
        f"\u200e{A}\u202c",
        f"{A}\r\n",
        "ec-000-05d-1ns",
        " Ec-000-05d-1nS\u3000",
    ],
)
def test_white_space_around_a_reference_and_its_case_do_not_matter(raw):
    assert normalise(raw) == A
    assert check(raw) == Batch([A], [])


def test_every_white_space_character_that_python_knows_is_noise():
    spaces = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()}
    assert set(WHITE_SPACE) == spaces


@pytest.mark.parametrize("letter", ["\u017f", "\u0131", "\ufb01", "\u00df"])
def test_a_letter_that_upper_casing_would_make_ascii_makes_no_reference(letter):
    entry = A[:-1] + letter
    assert check(entry).valid == []
    assert check(A, entry, B).valid == [A, B]


def test_a_clean_batch_is_given_back_as_it_is():
    raw = RawBatch(range(1, 4), [A, B, A])
    assert classify(raw, PATTERN).valid is raw.values


def test_order_and_duplicates_are_kept_and_malformed_entries_carry_their_lines():
    batch = classify(RawBatch([3, 5, 6, 9], [B, "EC-1", f" {A}", B]), PATTERN)
    assert batch.valid == [B, A, B]
    assert batch.invalid == [InvalidEntry(5, "EC-1", f"not a reference by the pattern {DEFAULT_PATTERN}")]


def test_what_the_form_found_invalid_is_kept_in_the_order_of_lines():
    broken = InvalidEntry(2, "{", "not JSON")
    batch = classify(RawBatch([1, 3], ["x", A], (broken,)), PATTERN)
    assert batch.valid == [A]
    assert [entry.line for entry in batch.invalid] == [1, 2]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("", "empty"),
        (" \u200b", "empty"),
        (A + "0", "not a reference by the pattern"),
        (f"{A},{B}", "not a reference by the pattern"),
        ("EC-000 05D 1NS", "not a reference by the pattern"),
        (f"{A}\n{B}", "holds a control character"),
        ("EC-000-\u200b05D-1NS", "holds a control character"),
        ("EC-000-05D-1N\ud800", "holds a control character"),
        ("\x00" + A, "holds a control character"),
        ("E" * (MAX_LENGTH + 1), "longer than 100 characters"),
    ],
)
def test_a_malformed_entry_is_told_with_its_reason_alone_and_among_others(entry, reason):
    assert check(entry).invalid[0].reason.startswith(reason)
    among = check(A, entry, B)
    assert among.valid == [A, B]
    assert [found.line for found in among.invalid] == [2]


def test_an_empty_batch_gives_nothing():
    assert check() == Batch([], [])


def test_shown_text_is_short_and_can_be_printed():
    assert shown("plain é") == "plain é"
    assert shown("a\nb\x00\ud800\u200b") == "a\\nb\\x00\\ud800\\u200b"
    assert shown("x" * 100) == "x" * 100
    assert shown("x" * 101) == "x" * 99 + "…"
    assert len(shown("\u200b" * 1000)) == 100


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty"),
        ("[A-Z]*", "empty"),
        ("(EC)?", "empty"),
        ("(?=EC)", "empty"),
        ("EC.", "white space"),
        (r"EC\s[0-9]", "white space"),
        (r"EC\W[0-9]", "white space"),
        (r"EC\D+", "white space"),
        (r"EC[^-]", "white space"),
        ("EC [0-9]", "white space"),
        (r"EC[\x00-\x7f]", "white space"),
        (r"EC(A|(B\n))", "white space"),
        (r"EC\u00a0", "white space"),
        ("EC(?:[0-9]|[ -~])+", "white space"),
        ("(?i)EC-[0-9]", "flags"),
        ("(?i:EC)-[0-9]", "flags"),
        ("(?x) EC-[0-9]", "flags"),
        ("ec-[0-9]{3}", "upper case"),
        ("EC-[0-9", "regular expression"),
        ("*", "regular expression"),
        ("'EC-[0-9]+'", "is in quotes"),
        ('"EC-[0-9]+"', "is in quotes"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(pattern, why):
    with pytest.raises(ValueError, match=why) as raised:
        ReferencePattern(pattern)
    assert repr(pattern) in str(raised.value)


@pytest.mark.parametrize(
    "pattern",
    [
        r"[A-Z]{2}-\d+",
        r"\S+",
        r"[^\s,]+",
        "^EC-[0-9]+$",
        r"\AEC-[0-9]+\Z",
        r"(EC|GB)-(\d)\2+",
        r"(?!EC-9)EC-\d+",
        r"EC-\d+(?<!9)",
        r"EC-\d++",
        r"(?>EC|GB)-\d+?",
        r"(?P<prefix>EC)-\w+",
        r"\w+",
        r"EC-\d|EC-\d\d",
        r"\bEC-[0-9A-F]+\b",
    ],
)
def test_a_batch_is_judged_by_any_pattern_as_its_entries_are_alone(pattern):
    pattern = ReferencePattern(pattern)
    entries = ["EC-11", "EC-1", "EC-22", "GB-11", "EC-9", "EC-AF", "EC", "X,Y", "É", "E" * 100, "E" * 101, "EC\x01"]
    alone = [entry for entry in entries if check(entry, pattern=pattern).valid]
    assert check(*entries, pattern=pattern).valid == alone
    assert check(*alone, pattern=pattern) == Batch(alone, [])
    assert alone == [
        entry for entry in entries if re.fullmatch(pattern.pattern, entry) and len(entry) <= 100 and entry.isprintable()
    ]


def test_the_default_and_ordinary_patterns_are_matched_against_whole_batches():
    for pattern in (DEFAULT_PATTERN, r"[A-Z]{2}-\d+", "^EC-[0-9]+$", r"(?:EC|GB)-\w{3}", "EC-1[0-9A-F]+"):
        assert ReferencePattern(pattern).matches_all("EC-111-111-111\n") == ReferencePattern(pattern).matches(
            "EC-111-111-111"
        )
    assert PATTERN.matches_all(f"{A}\n{B}\n")
    assert not PATTERN.matches_all(f"{A}\n{B}")
    assert not PATTERN.matches_all(f"{A}\nEC\n{B}\n")


def test_patterns_are_equal_by_their_text_and_cannot_be_changed():
    assert ReferencePattern("EC-1") == ReferencePattern("EC-1")
    with pytest.raises(AttributeError):
        PATTERN.pattern = "X"
