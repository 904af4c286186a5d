"""How old an answer was, whatever the clocks of the hosts say."""

import pytest

from cancellist.worker.platform.freshness import PlatformClock, age_s, unmodified_s

NOON = 1_800_000_000.0


@pytest.mark.parametrize(
    ("ages", "wanted"),
    [
        ([], 0), (["300"], 300), ([" 300 "], 300), (["3.5"], 3.5), (["300, 20"], 300), (["20", "300"], 300),
        (["-5"], 0), (["soon"], 0), ([""], 0), (["nan"], 0), (["inf"], 0), (["soon", "7"], 7), (["²"], 0),
        (["9" * 15], 999_999_999_999_999), (["9" * 400], 0), (["1e3"], 0), (["soon, 8"], 8),
    ],
)  # fmt: skip
def test_the_largest_age_counts_and_what_cannot_be_read_does_not(ages: list[str], wanted: float) -> None:
    assert age_s(ages, None, None) == wanted


@pytest.mark.parametrize(
    ("behind_s", "wanted"), [(-3600, 0), (-1, 0), (0, 0), (1, 0), (2, 0), (2.5, 2.5), (3, 3), (300, 300)]
)
def test_a_date_behind_the_platforms_clock_is_an_age_but_for_rounding(behind_s: float, wanted: float) -> None:
    assert age_s([], NOON - behind_s, NOON) == wanted
    assert age_s(["1"], NOON - behind_s, NOON) == max(1, wanted)


def test_nothing_is_old_while_the_platforms_clock_is_unknown() -> None:
    clock = PlatformClock()
    assert clock.now(5.0) is None
    assert age_s([], NOON, clock.now(5.0)) == 0


def test_the_clock_goes_on_between_answers() -> None:
    clock = PlatformClock()
    clock.learn(NOON, 100.0, kept=False)
    assert clock.now(100.0) == NOON
    assert clock.now(160.0) == NOON + 60


def test_what_may_have_been_kept_tells_the_time_only_until_a_put_was_answered_and_the_newest_does() -> None:
    clock = PlatformClock()
    clock.learn(NOON - 500, 100.0, kept=True)
    clock.learn(NOON, 101.0, kept=True)
    clock.learn(NOON - 400, 102.0, kept=True)
    assert clock.now(101.0) == NOON
    clock.learn(NOON - 60, 101.0, kept=False)
    assert clock.now(101.0) == NOON - 60


@pytest.mark.parametrize("wrong_s", [-1e9, -3600, 3600, 1e9])
def test_one_answer_whose_clock_is_wrong_moves_nothing(wrong_s: float) -> None:
    clock = PlatformClock()
    for at_s in range(6):
        clock.learn(NOON + at_s + (wrong_s if at_s == 3 else 0), float(at_s), kept=False)
    assert clock.now(6.0) == NOON + 6


def test_a_clock_that_was_set_is_taken_as_it_is_now() -> None:
    clock = PlatformClock()
    for at_s in range(40):
        clock.learn(NOON + at_s + (3600 if at_s >= 20 else 0), float(at_s), kept=False)
    assert clock.now(40.0) == NOON + 3640


def test_a_clock_that_stands_still_tells_nothing() -> None:
    clock = PlatformClock()
    for at_s in range(10):
        clock.learn(NOON, float(at_s), kept=False)
    assert clock.now(10.0) is None
    clock.learn(NOON + 10, 10.0, kept=False)
    assert clock.now(10.0) is not None


@pytest.mark.parametrize(
    ("modified_s", "date_s", "age", "now_s", "wanted"),
    [
        (None, NOON, 0, NOON, None), (NOON - 60, NOON, 0, None, 60), (NOON - 60, NOON, 0, NOON + 999, 60),
        (NOON - 60, NOON, 300, None, 360), (NOON - 60, None, 0, NOON, 60), (NOON - 60, None, 0, None, None),
        (NOON + 60, NOON, 0, None, 0),
    ],
)  # fmt: skip
def test_the_last_change_counts_from_when_the_answer_came(modified_s, date_s, age, now_s, wanted) -> None:
    assert unmodified_s(modified_s, date_s, age, now_s) == wanted
