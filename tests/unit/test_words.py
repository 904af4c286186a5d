import re

import pytest

from jobs.model import Piece
from jobs.outcomes import Outcome, Refused
from jobs.readings import Found, Unknown, Unread
from jobs.retry import Settle, after_known_refusal
from jobs.words import TRUSTED_AFTER, UNKNOWN, Lexicon, Meaning, fingerprint, meant_by

A = "EC-000-05D-1NS"
WORDS = f"Consignment {A} cannot be cancelled: it was manifested 3 days ago"
PRINT = fingerprint(WORDS, A)


def test_the_same_refusal_is_recognised_for_another_reference_and_other_numbers():
    other = "ec-zzz-05d-1na"
    assert (
        fingerprint(f"consignment {other.upper()}  cannot be cancelled: it was manifested 14 days ago", other) == PRINT
    )
    assert A.lower() not in PRINT
    assert not re.search(r"\d", PRINT)


def test_words_are_trusted_once_enough_reads_agree_and_forgotten_at_the_first_that_does_not():
    lexicon = Lexicon()
    for _ in range(TRUSTED_AFTER):
        assert lexicon.meaning(WORDS, A) is None
        lexicon = lexicon.agreeing(PRINT, "manifested")
    assert lexicon.meaning(WORDS, A) == "manifested"
    lexicon = lexicon.agreeing(PRINT, "open")
    assert lexicon.meaning(WORDS, A) is None


def test_configured_words_are_trusted_from_the_start_until_reads_say_otherwise():
    patterns = ((re.compile("manifested"), "manifested"),)
    assert Lexicon({}, patterns).meaning(WORDS, A) == "manifested"
    assert Lexicon({PRINT: Meaning("open", 1)}, patterns).meaning(WORDS, A) is None


@pytest.mark.parametrize("words", [None, ""])
def test_a_refusal_without_words_is_always_read(words):
    assert Lexicon({"": Meaning("manifested", 99)}).meaning(words, A) is None


@pytest.mark.parametrize(
    ("reading", "meant"),
    [
        (Found("Cancelled", 200), "cancelled"),
        (Found("InTransit", 200), "manifested"),
        (Found("Allocated", 200), "open"),
        (Found("Cancelling", 200), None),
        (Unknown(404), UNKNOWN),
        (Unread("HTTP 500"), None),
    ],
)
def test_what_a_reading_teaches(reading, meant):
    assert meant_by(reading) == meant


@pytest.mark.parametrize(
    ("meaning", "clean", "doubtful"),
    [
        ("cancelled", Outcome.ALREADY_CANCELLED, Outcome.CANCELLED),
        ("manifested", Outcome.MANIFESTED, None),
        ("open", Outcome.REJECTED, None),
        (UNKNOWN, Outcome.NOT_FOUND, None),
    ],
)
def test_trusted_words_settle_but_nothing_negative_while_an_earlier_call_may_still_act(meaning, clean, doubtful):
    refused = Refused(200, WORDS)
    assert after_known_refusal(Piece((A,), named=1), refused, meaning, 0.0) == Settle(clean, 1, 200, WORDS)
    step = after_known_refusal(Piece((A,), named=2, unclear_until_ms=9), refused, meaning, 1.0)
    assert (step.outcome if step else None) == doubtful
    later = after_known_refusal(Piece((A,), named=2, unclear_until_ms=9), refused, meaning, 0.0)
    assert later.outcome == (doubtful or clean)
