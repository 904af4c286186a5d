import re

import pytest

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses.answer import LONGEST_MESSAGE
from cancellist.jobs.responses.refusal_texts import UNKNOWN, Observed, RefusalTexts, fingerprint, meant_by
from cancellist.jobs.responses.retry_policy import after_known_refusal
from cancellist.jobs.responses.status_read import Found, Unknown, Unread
from cancellist.jobs.responses.steps import WriteResult
from cancellist.jobs.responses.verdicts import Refused

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


PATTERNS = ((re.compile("manifested"), "manifested"), (re.compile("gone|lost"), "unknown"))


def test_words_mean_what_the_user_has_said_and_nothing_else():
    known = RefusalTexts(PATTERNS)
    assert known.meaning(WORDS) == "manifested"
    assert known.meaning("it is gone") == "unknown"
    assert known.meaning("Consignment cancellation failed") is None
    assert RefusalTexts().meaning(WORDS) is None


def test_words_that_two_patterns_read_in_two_ways_are_read():
    assert RefusalTexts(PATTERNS).meaning("it is lost, or manifested") is None


@pytest.mark.parametrize("words", [None, ""])
def test_a_refusal_without_words_is_always_read(words):
    assert RefusalTexts(((re.compile(""), "manifested"),)).meaning(words) is None


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
def test_known_words_settle_but_never_what_a_call_of_the_job_may_have_cancelled(meaning, outcome):
    refused = Refused(200, WORDS)
    assert after_known_refusal(Piece((A,), named=1), refused, meaning) == WriteResult(outcome, 1, 200, WORDS)
    assert after_known_refusal(Piece((A,), named=2, unclear_until_ms=9), refused, meaning) is None


def test_codes_are_kept_apart_and_request_ids_are_not():
    assert fingerprint("Refused: E1001", A) != fingerprint("Refused: E1002", A)
    one = "refused, request 0f8fad5b-d9cb-469f-a165-70867728950e at 2026-11-23T10:00:00Z"
    other = "refused, request 7c9e6679-7425-40de-944b-e07fc1f90ae7 at 2026-11-24T11:30:09Z"
    assert fingerprint(one, A) == fingerprint(other, A)


def test_long_words_that_differ_only_at_their_end_are_kept_apart():
    start = "we are sorry to have to tell you that " * 8
    assert fingerprint(start + "it is manifested", A) != fingerprint(start + "it is cancelled", A)
    assert fingerprint(start + f"{A} is manifested", A) == fingerprint(start + "EC-1 is manifested", "EC-1")


def test_words_that_were_cut_are_always_read():
    assert RefusalTexts(((re.compile("x"), "manifested"),)).meaning("x" * LONGEST_MESSAGE) is None


def test_what_reads_find_behind_words_is_told_at_first_and_then_now_and_then():
    observed = Observed()
    told = sum(observed.worth_telling(PRINT, "manifested") for _ in range(640))
    assert 20 < told < 40
    assert observed.worth_telling(PRINT, "open")
