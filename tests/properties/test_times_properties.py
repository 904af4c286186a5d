"""Times: whatever is accepted can be written back, and whatever an error says to write is accepted."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cancellist.cli.output import wording
from cancellist.jobs.parsing.intake_entry import parse_entry
from cancellist.jobs.parsing.intake_values import MalformedEntryError
from cancellist.jobs.times import FIRST_MS, LAST_MS, parse_span_s, parse_when_ms, rfc3339

NOW_MS = 1_795_456_800_123
ADVICE = re.compile(r"(?:write such as|write|such as|or) (\+?[0-9][^\s,;]*|\+[^\s,;]+)")

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=st.one_of(st.none(), st.just(UTC), offsets))
spellings = st.sampled_from([
    datetime.isoformat,
    lambda at: at.isoformat(" "),
    lambda at: at.isoformat().lower(),
    lambda at: at.isoformat().replace("+00:00", "z"),
    lambda at: at.isoformat(timespec="minutes"),
    lambda at: at.date().isoformat(),
    lambda at: at.strftime("%Y%m%dT%H%M%S%z"),
    lambda at: at.strftime("%d.%m.%Y %H:%M"),
    lambda at: at.strftime("%G-W%V-%u"),
    lambda at: str(int(at.replace(tzinfo=UTC).timestamp())),
])  # fmt: skip
written = st.builds(lambda at, spell: spell(at), moments, spellings)
numbers = st.one_of(st.integers(0, 10**30).map(str), st.floats(0, 1e300).map(lambda n: f"{n:.3f}"))
spans = st.lists(st.tuples(numbers, st.sampled_from("smhdwSMHDWy")), min_size=1, max_size=3).map(
    lambda parts: "+" + "".join(number + unit for number, unit in parts)
)
texts = st.one_of(written, spans, st.text(max_size=40), st.text("0123456789-+:TtZz. ", max_size=30))


@given(texts)
@example("9999-12-31T23:59:59-14:00")
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59.9999999Z")
@example("0000-01-01T00:00:00Z")
@example("2026-12-23")
@example("9999-12-31")
@example("+1\u017f")
@example("\u0662\u0660\u0662\u0666-12-23T00:00:00Z")
@example("2026-12-23T00:00:00+01:00:30")
def test_what_is_accepted_can_be_written_back_and_what_is_advised_is_accepted(text):
    try:
        at_ms = parse_when_ms(text, now_ms=NOW_MS)
    except ValueError as error:
        told = str(error)
    else:
        assert parse_when_ms(rfc3339(at_ms), now_ms=NOW_MS) == at_ms
        assert datetime.fromisoformat(rfc3339(at_ms)).year >= 1
        return
    assert "\n" not in told
    advised = ADVICE.findall(told.rpartition("; ")[2])  # what was written stands before it, and may look like advice
    assert advised, told
    for advice in advised:
        assert FIRST_MS <= parse_when_ms(advice, now_ms=NOW_MS) <= LAST_MS


@given(texts)
def test_options_and_intake_agree_on_what_is_a_time(text):
    """Both refuse with words, and neither with anything but its own error."""
    if not text:
        return
    try:
        by_option = parse_when_ms(text, now_ms=NOW_MS)
    except ValueError:
        by_option = None
    pairs = [(b"references", b"EC-000-05D-1NS"), (b"start_at", text.encode(errors="surrogatepass"))]
    try:
        by_intake = parse_entry(pairs, now_ms=NOW_MS, accounts=frozenset({"default"})).order.start_at_ms
    except MalformedEntryError:
        by_intake = None
    assert by_intake == by_option


@given(st.integers())
@example(LAST_MS)
@example(FIRST_MS)
def test_any_stored_moment_is_shown_as_one_that_can_be_read(at_ms):
    shown = parse_when_ms(rfc3339(at_ms), now_ms=NOW_MS)
    assert shown == min(max(at_ms, FIRST_MS), LAST_MS)
    assert wording.clock(at_ms)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_moment_at_the_end_of_the_calendar_is_shown_in_any_zone(zone, monkeypatch):
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for at_ms in (FIRST_MS, LAST_MS, FIRST_MS - 1, LAST_MS + 1, 10**18, -(10**18), 10**30):
            assert re.match(r"\d{4}-\d\d-\d\d", wording.clock(at_ms))
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.one_of(spans.map(lambda span: span[1:]), numbers, st.text(max_size=20)))
def test_a_span_is_a_number_that_can_be_reckoned_with_or_refused(text):
    try:
        seconds = parse_span_s(text)
    except ValueError:
        return
    assert 0 <= seconds < 1e12
    assert round(seconds * 1000) >= 0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23t18:00:00z", "2026-11-23T18:00:00.000Z"),
        ("2026-11-23t18:00:00.5z", "2026-11-23T18:00:00.500Z"),
        ("2026-11-23 18:00:00z", "2026-11-23T18:00:00.000Z"),
        ("2026-11-23T18:00+02:00", "2026-11-23T16:00:00.000Z"),
        ("2026-11-23T18:00:00-00:00", "2026-11-23T18:00:00.000Z"),
        ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59+14:00", "9999-12-31T09:59:59.000Z"),
        ("0001-01-01T00:00:00-14:00", "0001-01-01T14:00:00.000Z"),
    ],
)
def test_a_time_is_read_as_rfc_3339_has_it(text, at):
    assert rfc3339(parse_when_ms(text, now_ms=NOW_MS)) == at


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01", "+8000w9999999d", "+417000w",  "+600000w", f"+{'9' * 400}s",
    ],
)  # fmt: skip
def test_an_instant_outside_of_the_calendar_is_refused(text):
    with pytest.raises(ValueError, match="years"):
        parse_when_ms(text, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("2026-12-23", "write 2026-12-23T00:00:00+00:00"),
        ("2026-12-23T18:30", "write 2026-12-23T18:30:00+00:00"),
        ("2026-12-23 18:30:15", "write 2026-12-23T18:30:15+00:00"),
        ("20261223T183015Z", "write 2026-12-23T18:30:15+00:00"),
        ("2h", "begins with +, such as +2h"),
        ("tomorrow", "write such as 2026-11-24T18:00:00+00:00"),
    ],
)
def test_an_error_says_what_was_meant_where_that_can_be_known(text, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_when_ms(text, now_ms=NOW_MS)
