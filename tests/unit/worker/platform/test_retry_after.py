"""What Retry-After asks for, in every form that is sent."""

import os
import time
from collections.abc import Iterator

import pytest

from cancellist.worker.platform.dates import seconds_of
from cancellist.worker.platform.retry_after import wait_s

SENT_AT = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110."""


@pytest.fixture(autouse=True, params=["UTC", "Asia/Kathmandu", "America/St_Johns"])
def _odd_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in this zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_time_zone_of_a_test_is_in_force() -> None:
    assert time.timezone == {"UTC": 0, "Asia/Kathmandu": -20_700, "America/St_Johns": 12_600}[os.environ["TZ"]]


NINE_LATER = [
    "Sun, 06 Nov 1994 08:49:46 GMT",
    "Sunday, 06-Nov-94 08:49:46 GMT",
    "Sun Nov  6 08:49:46 1994",
    "Sun Nov 06 08:49:46 1994",
    "Sun, 06 Nov 1994 08:49:46",
    "Sunday, 06-Nov-94 08:49:46",
    "Sun, 6 Nov 1994 08:49:46 UTC",
    "06 Nov 1994 08:49:46 Z",
    "sun, 06 nov 1994 08:49:46 gmt",
    "Sun, 06 Nov 1994 08:49:46 +0000",
    "Sun, 06 Nov 1994 08:49:46 -0000",
    "Sun, 06 Nov 1994 09:49:46 +0100",
    "Sun, 06 Nov 1994 03:49:46 EST",
    "Sun, 06 Nov 1994 08:49:46 ???",
    "1994-11-06T08:49:46Z",
    "1994-11-06T08:49:46",
    "1994-11-06T09:49:46+01:00",
]


@pytest.mark.parametrize("date", NINE_LATER)
def test_a_date_counts_from_when_the_answer_was_sent_and_never_from_this_machines_zone(date: str) -> None:
    assert wait_s([date], SENT_AT) == 9
    assert seconds_of(date) == SENT_AT + 9


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["120"], 120),
        ([" 120 "], 120),
        (["3.0"], 3),
        (["0.5"], 0.5),
        ([".5"], 0.5),
        (["3."], 3),
        (["+3"], 3),
        (['"7"'], 7),
        (["0"], 0),
        (["4, 4"], 4),
        (["4,9,5"], 9),
        (["4", "7"], 7),
        (["7", "4"], 7),
        (["soon", "7"], 7),
        (["soon, 7"], 7),
        (["7, Sun, 06 Nov 1994 08:49:46 GMT"], 9),
        (["Sun, 06 Nov 1994 08:49:46 GMT, 70"], 70),
        (["Sun, 06 Nov 1994 08:49:46 GMT, Sun Nov  6 08:49:47 1994"], 10),
        (["7", "Sun Nov  6 08:49:46 1994"], 9),
        (["-5"], 0),
        (["-5", "-7"], 0),
        (["-5, 2"], 2),
        (["Sun, 06 Nov 1994 08:49:00 GMT"], 0),
        (["99999999"], 99_999_999),
        (["9" * 400], float("inf")),
        ([], None),
        ([""], None),
        ([" "], None),
        ([","], None),
        (["soon"], None),
        (["120s"], None),
        (["1e3"], None),
        (["0x10"], None),
        (["nan"], None),
        (["inf"], None),
        (["-"], None),
        (["1.2.3"], None),
        (["²"], None),
        (["١٢"], None),
        (["\udcff"], None),
        (["Mon, 99 Nov 1994 08:49:37 GMT"], None),
        (["Sun, 06 Foo 1994 08:49:37 GMT"], None),
        (["Sun, 06 Nov 1994 28:49:37 GMT"], None),
        (["Sun, 06 Nov 1994"], None),
        (["9" * 2000], None),
        (["mon " * 300_000], None),
        ([" " * 1_000_000], None),
    ],
)
def test_the_most_that_is_asked_for_counts_and_what_cannot_be_read_does_not(
    values: list[str], wanted: float | None
) -> None:
    assert wait_s(values, SENT_AT) == wanted


def test_a_year_beyond_every_calendar_is_no_date() -> None:
    assert seconds_of("Sun, 06 Nov 99999 08:49:37 GMT") is None
    assert seconds_of("9" * 1_000_000) is None
