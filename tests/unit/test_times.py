import re
from datetime import UTC, datetime, timedelta

import pytest

from cancellist.jobs.times import FIRST_MS, parse_since_ms, parse_span_s, parse_when_ms, rfc3339

NOW = 1_795_456_800_123


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.5", 0.5),
        ("30s", 30.0),
        ("15m", 900.0),
        ("2h", 7200.0),
        ("7d", 604_800.0),
        ("1w", 604_800.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (" 2H ", 7200.0),
        ("0s", 0.0),
    ],
)
def test_a_span_is_a_number_of_seconds_or_has_units(text, seconds):
    assert parse_span_s(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "h", "2 h", "-2h", "2y", "2h30", "1:30", "two hours", "1e3", "+2h", "2hh"])
def test_what_is_no_span_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="1h30m"):
        parse_span_s(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("+2h", 7_200_000), ("+1.5s", 1500), (" +1h30m ", 5_400_000), ("+7D", 604_800_000)]
)
def test_a_span_counts_from_now(text, ms):
    assert parse_when_ms(text, now_ms=NOW) == NOW + ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T18:00:00+00:00",
        "2026-11-23T18:00:00Z",
        "2026-11-23 18:00:00Z",
        "2026-11-23T19:00:00+01:00",
        "2026-11-23T12:30:00-05:30",
        " 2026-11-23T18:00:00.000Z ",
    ],
)
def test_a_time_is_read_with_its_offset(text):
    assert parse_when_ms(text, now_ms=0) == 1_795_456_800_000


def test_milliseconds_are_kept():
    assert parse_when_ms("2026-11-23T18:00:00.123Z", now_ms=0) == NOW


@pytest.mark.parametrize("text", ["2026-11-23T18:00:00", "2026-11-23", "2026-11-23 18:00"])
def test_a_time_without_an_offset_is_refused_and_the_mend_is_said(text):
    with pytest.raises(ValueError, match="no offset"):
        parse_when_ms(text, now_ms=0)


@pytest.mark.parametrize("text", ["", "tomorrow", "2h", "+", "+2", "-2h", "+2y", "2026-13-01T00:00:00Z", "1795456800"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"\+2h"):
        parse_when_ms(text, now_ms=0)


@pytest.mark.parametrize("text", [f"+{'9' * 400}s", f"+{'9' * 400}w", f"+{'9' * 20}d"])
def test_a_span_beyond_all_calendars_is_refused_as_any_other_mistake(text):
    with pytest.raises(ValueError, match="9"):
        parse_when_ms(text, now_ms=NOW)


@pytest.mark.parametrize("text", ["+100w", "+416000w", "+600000w", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+00:00"])
def test_every_time_that_is_accepted_can_be_shown(text):
    try:
        accepted = parse_when_ms(text, now_ms=NOW)
    except ValueError:
        return
    assert rfc3339(accepted).endswith("Z")


def test_a_time_is_shown_in_utc_with_milliseconds():
    assert rfc3339(NOW) == "2026-11-23T18:00:00.123Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(None) is None


def test_what_is_shown_is_read_back_as_the_same_time():
    for days in range(0, 20_000, 37):
        at_ms = round(datetime(1999, 1, 1, tzinfo=UTC).timestamp() * 1000) + days * 86_400_000 + days % 1000
        assert parse_when_ms(rfc3339(at_ms), now_ms=0) == at_ms
        shown = datetime.fromtimestamp(at_ms / 1000, UTC) - datetime.fromisoformat(rfc3339(at_ms))
        assert abs(shown) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2h", -7_200_000),
        ("-2h", -7_200_000),
        (" 1h30m ", -5_400_000),
        ("-0.5S", -500),
        ("7d", -604_800_000),
        ("0s", 0),
    ],
)
def test_a_span_back_counts_from_now(text, ms):
    assert parse_since_ms(text, now_ms=NOW) == NOW + ms


def test_a_time_since_which_is_read_as_any_other_and_no_span_leads_beyond_the_calendar():
    assert parse_since_ms("2026-11-23T19:00:00.123+01:00", now_ms=0) == NOW
    assert parse_since_ms("9" * 30 + "w", now_ms=NOW) == FIRST_MS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("+2h", "'+2h' lies ahead; a span back is written without +, such as 2h"),
        ("2", "'2' has no unit; write such as 30m, 2h or 7d"),
        ("-2", "'-2' has no unit"),
        ("--2h", "'--2h' is not a time"),
        ("-+2h", "is not a time"),
        ("2026-11-23", "has no offset from UTC"),
        ("2026-11-23T18:00:00", "has no offset from UTC"),
        ("-2026-11-23T18:00:00Z", "is not a time"),
        ("yesterday", "is not a time"),
        ("", "is not a time"),
    ],
)
def test_what_is_no_time_back_is_refused_with_an_example(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_since_ms(text, now_ms=NOW)
