"""A token that is tried: where too many wrong ones came from an address, a right one is refused like them."""

from collections.abc import Callable

import pytest

from cancellist.api.problems import ProblemError
from cancellist.api.rates import Rates

RATE = 1e-9  # one at once, and the next long after
HERE, THERE = "192.0.2.1", "192.0.2.2"


def refused(act: Callable[[], None]) -> dict[str, object] | None:
    try:
        act()
    except ProblemError as problem:
        return problem.document("one") | problem.headers
    return None


@pytest.fixture
def rates() -> Rates:
    """Of an address from which `proven` came, and then too many wrong tokens."""
    made = Rates(RATE)
    made.try_token(HERE, "proven")
    made.try_token(HERE, None)
    return made


def test_the_answer_to_a_right_token_is_that_to_a_wrong_one(rates: Rates) -> None:
    told = refused(lambda: rates.try_token(HERE, "late"))
    assert told
    assert told["status"] == 429
    assert refused(lambda: rates.try_token(HERE, None)) == told == refused(lambda: rates.try_token(HERE, "late"))


def test_who_was_right_from_there_before_goes_on_and_so_does_whoever_comes_from_elsewhere(rates: Rates) -> None:
    assert refused(lambda: rates.try_token(HERE, "proven")) is None
    assert refused(lambda: rates.try_token(THERE, "late")) is None
    assert refused(lambda: rates.try_token(HERE, "late")), "one address says nothing of another"


def test_tokens_that_are_tried_and_requests_without_one_do_not_count_together(rates: Rates) -> None:
    assert refused(lambda: rates.take_stranger(HERE)) is None
    assert refused(lambda: rates.take_stranger(HERE))
    rates.take_stranger(THERE)
    assert refused(lambda: rates.take_stranger(THERE))
    assert refused(lambda: rates.try_token(THERE, "late")) is None


def test_right_tokens_use_nothing_up() -> None:
    rates = Rates(RATE)
    for n in range(100):
        rates.try_token(HERE, f"caller-{n}")
    assert refused(lambda: rates.try_token(HERE, None)) is None
