import re

import pytest

from jobs.model import Piece
from jobs.outcomes import LONGEST_MESSAGE, Outcome
from jobs.readings import Found, Unknown, Unread
from jobs.retry import Settle, after_known_refusal
from jobs.verdicts import Refused
from jobs.words import MIXED, TRUSTED_AFTER, UNKNOWN, Lexicon, Meaning, fingerprint, meant_by, sampled

A = "EC-000-05D-1NS"
WORDS = f"Consignment {A} cannot be cancelled: it was manifested 3 days ago"
PRINT = fingerprint(WORDS, A)


def test_a_meaning_that_only_another_version_knows_is_explained_by_a_read():
    assert after_known_refusal(Piece((A,), named=1), Refused(200, WORDS), "returned") is None


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
        (Found("CancellationRequested", 200), "strange"),
        (Unknown(404), UNKNOWN),
        (Unread("HTTP 500"), None),
    ],
)
def test_what_a_reading_teaches(reading, meant):
    assert meant_by(reading) == meant


@pytest.mark.parametrize(
    ("meaning", "outcome"),
    [
        ("cancelled", Outcome.ALREADY_CANCELLED),
        ("manifested", Outcome.MANIFESTED),
        ("open", Outcome.REJECTED),
        (UNKNOWN, Outcome.NOT_FOUND),
    ],
)
def test_trusted_words_settle_but_never_what_a_call_of_the_job_may_have_cancelled(meaning, outcome):
    refused = Refused(200, WORDS)
    assert after_known_refusal(Piece((A,), named=1), refused, meaning) == Settle(outcome, 1, 200, WORDS)
    assert after_known_refusal(Piece((A,), named=2, unclear_until_ms=9), refused, meaning) is None


def test_words_that_ever_disagreed_are_never_trusted_again():
    lexicon = Lexicon().agreeing(PRINT, "manifested").agreeing(PRINT, "open")
    for _ in range(3 * TRUSTED_AFTER):
        lexicon = lexicon.agreeing(PRINT, "open")
    assert lexicon.learnt[PRINT].standing == MIXED
    assert lexicon.meaning(WORDS, A) is None


def test_codes_are_kept_apart_and_request_ids_are_not():
    assert fingerprint("Refused: E1001", A) != fingerprint("Refused: E1002", A)
    one = "refused, request 0f8fad5b-d9cb-469f-a165-70867728950e at 2026-11-23T10:00:00Z"
    other = "refused, request 7c9e6679-7425-40de-944b-e07fc1f90ae7 at 2026-11-24T11:30:09Z"
    assert fingerprint(one, A) == fingerprint(other, A)


def test_long_words_that_differ_only_at_their_end_are_kept_apart():
    start = "we are sorry to have to tell you that " * 8
    assert fingerprint(start + "it is manifested", A) != fingerprint(start + "it is cancelled", A)
    assert fingerprint(start + f"{A} is manifested", A) == fingerprint(start + "EC-1 is manifested", "EC-1")


def test_words_that_were_cut_are_never_trusted():
    words = "x" * LONGEST_MESSAGE
    assert Lexicon({fingerprint(words, A): Meaning("manifested", 99)}).meaning(words, A) is None


def test_a_disagreement_outlives_a_reading_of_the_ledger_that_has_not_heard_of_it():
    trusting = Lexicon({PRINT: Meaning("manifested", 99)})
    doubting = trusting.agreeing(PRINT, "open")
    assert trusting.keeping_doubts(doubting).meaning(WORDS, A) is None
    assert trusting.keeping_doubts(trusting).meaning(WORDS, A) == "manifested"


def test_about_one_in_64_is_sampled_and_the_same_wherever_it_is_asked():
    drawn = sum(sampled(f"EC-000-{n // 1000:03d}-{n % 1000:03d}", 1) for n in range(64_000))
    assert 700 < drawn < 1300
    assert sampled(A, 1) == sampled(A, 1)
