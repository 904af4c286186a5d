"""What users read: numbers and times in words, foreign text made harmless, results in their forms."""

import csv
import io
import re

import pytest

from cancellist.cli.output import wording
from cancellist.cli.output.result_formats import CsvLines, TableLines
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import JobRecord, JobRequest, JobState, Outcome, Result
from cancellist.jobs.progress.forecast import Estimate

GATE = AccountGate(
    version=0, paused=False, hold_until_ms=0, hold_why="", breaker=None, breaker_opened=0, limit=None, interval_us=0,
    list_size=None,
    calls_in_flight=0, workers=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.04, "0.0 s"), (1.75, "1.8 s"), (7, "7 s"), (12.3, "12 s"), (60, "1 min"), (125, "2 min 5 s"),
        (3600, "1 h"), (5400, "1 h 30 min"), (86_400 * 2 + 3600 * 5, "2 d 5 h"),
    ],
)  # fmt: skip
def test_a_span_is_told_in_its_two_largest_units(seconds, text):
    assert wording.span(seconds) == text


@pytest.mark.parametrize(
    ("number", "pending", "text"),
    [
        (0, 5000, ""), (None, 5000, ""), (7, 5000, "at risk: about 7 of 5,000 by "),
        (1234, 5000, "at risk: about 1,200 of 5,000 by "), (4000, 4000, "at risk: 4,000 of 5,000 by "),
    ],
)  # fmt: skip
def test_what_comes_too_late_is_told_in_round_numbers_with_its_time(number, pending, text):
    now_ms = 1_795_000_000_000
    for deadline_ms, by in ((now_ms + 60_000, r"\d\d:\d\d"), (now_ms + 86_400_000, r"\d{4}-\d\d-\d\d \d\d:\d\d")):
        order = JobRequest(deadline_ms=deadline_ms)
        record = JobRecord("j", order, JobState.QUEUED, 5000, 0, 0, pending, 0)
        snapshot = Snapshot(record, GATE, now_ms, Estimate(None, None, number))
        assert re.fullmatch(text + by if text else "", wording.at_risk(snapshot))
        assert (text in wording.line(snapshot)) is True


def test_a_hundred_percent_is_said_only_when_nothing_is_left():
    assert [wording.percent(n, 1000) for n in (0, 9, 999, 1000)] == ["0 %", "0 %", "99 %", "100 %"]
    assert wording.percent(0, 0) == "100 %"


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain [red]text[/red] é", "plain [red]text[/red] é"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_foreign_text_cannot_steer_the_terminal(foreign, shown):
    assert plain(foreign) == shown


def result(reference: str, message: str | None = None) -> Result:
    return Result("j", reference, Outcome.REJECTED, 200, 1, message, "Odd", 1_700_000_000_000)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_csv_has_no_cell_that_a_spreadsheet_takes_for_a_formula(start):
    text = CsvLines()([result("R", f"{start}cmd|' /C calc'!A0")]).decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["message"] == f"'{start}cmd|' /C calc'!A0"
    assert row["attempts"] == "1"


def test_csv_has_one_heading_also_without_results():
    write = CsvLines()
    assert (write([]) + write([]) + write([result("R")])).decode().count("reference") == 1


@pytest.mark.parametrize("width", [50, 60, 80, 100, 200])
def test_a_table_fits_the_terminal_and_its_columns_stay_where_the_first_page_puts_them(width):
    write, message = TableLines(width), "why not " * 20
    assert write([]) == b""
    first = write([result("R" * 14, message.strip())]).decode().splitlines()
    later = write([result("Q" * 14, "x\ny")]).decode().splitlines()
    assert max(map(len, first + later)) <= width
    row = next(at for at, line in enumerate(first) if line.startswith("R" * 14 + "  "))
    shown = " ".join(first[row:]).split()
    assert shown[:1] == ["R" * 14]
    assert " ".join(shown).endswith(message.strip())
    assert any("x\\ny" in line for line in later)
    for shown in ("outcome", "status"):
        assert shown in first[0]
    for cell in ("rejected", " 200"):
        assert first[row].find(cell) == later[0].find(cell) > 0


def test_a_reference_is_never_cut_however_narrow_the_terminal():
    assert "R" * 60 in TableLines(20)([result("R" * 60, "why")]).decode()
