from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist_client import (
    ApiError,
    AuthError,
    IdempotencyConflict,
    InProgress,
    InputError,
    JobStateError,
    JobTimeout,
    NotFound,
    RateLimited,
    ResultsGone,
    ServerUnavailable,
    TlsError,
    TransportError,
    UnsupportedError,
)
from cancellist_client.retrying import Backoff, retry_after_s

PASSING = (InProgress, RateLimited, ServerUnavailable)
LASTING = (ApiError, AuthError, IdempotencyConflict, InputError, JobStateError, NotFound, ResultsGone)
CHANCE = st.floats(0, 1)


@given(st.integers(0, 4), CHANCE)
def test_a_wait_lies_below_a_bound_that_doubles(attempt, chance) -> None:
    wait = Backoff(base_s=0.5, cap_s=3).wait_s(attempt, TransportError(), chance)
    assert wait is not None
    assert 0 <= wait <= min(3, 0.5 * 2**attempt)


@given(st.sampled_from(PASSING), st.floats(0, 120), CHANCE)
def test_what_the_server_asks_for_is_kept(kind, asked, chance) -> None:
    wait = Backoff().wait_s(0, kind(retry_after=asked), chance)
    assert wait is not None
    assert asked <= wait <= asked + 0.25


@given(st.sampled_from(PASSING), st.floats(120.001, 1e9))
def test_what_is_too_long_is_not_waited_for(kind, asked) -> None:
    assert Backoff().wait_s(0, kind(retry_after=asked), 0.5) is None


@given(st.sampled_from((*LASTING, UnsupportedError, JobTimeout, TlsError)), st.integers(0, 9))
def test_what_lasts_is_never_tried_again(kind, attempt) -> None:
    assert Backoff(retries=10).wait_s(attempt, kind("no"), 0.5) is None


@given(st.integers(0, 20), st.integers(0, 40))
def test_attempts_are_bounded(retries, attempt) -> None:
    assert (Backoff(retries).wait_s(attempt, TransportError(), 0) is None) == (attempt >= retries)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None), ("", None), ("soon", None), ("-1", None), ("0", 0), (" 12 ", 12),
        ("Sun, 29 Nov 2026 01:00:10 GMT", 10), ("Sun, 29 Nov 2026 00:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text, seconds) -> None:
    assert retry_after_s(text, datetime(2026, 11, 29, 1, tzinfo=UTC)) == seconds
