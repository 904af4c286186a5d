"""The server's absence and its return are each told once, however many tasks notice them."""

import pytest
from structlog.testing import capture_logs

from cancellist.jobs.errors import LedgerFullError, LedgerRefusedError, LedgerUnavailableError, LedgerUnfitError
from cancellist.worker import outage_log as outages
from cancellist.worker.calls.log_throttle import LogThrottle
from cancellist.worker.outage_log import REFUSED_EVERY_S, OutageLog, tell_refused

AWAY, BACK = "server away, waiting for it", "server back"
REFUSED = "the server refuses a command; it is tried again"


@pytest.fixture(autouse=True)
def _nothing_told_before(monkeypatch):
    monkeypatch.setattr(outages, "_refusals", LogThrottle(REFUSED_EVERY_S))


@pytest.fixture
def told():
    with capture_logs() as lines:
        yield lines


def events(lines):
    return [line["event"] for line in lines]


def test_an_absence_is_told_once_with_who_found_it_first_and_why(told):
    outage = OutageLog()
    for who in ("sweep", "poll", "sweep"):
        outage.notice(who, "ConnectionError")
    assert told == [{"event": AWAY, "task": "sweep", "error": "ConnectionError", "log_level": "warning"}]


def test_the_return_is_told_once_when_the_last_has_found_it(told):
    outage = OutageLog()
    for who in ("sweep", "poll"):
        outage.notice(who, "ConnectionError")
    outage.over("poll")
    assert events(told) == [AWAY]
    outage.over("sweep")
    outage.over("sweep")
    assert events(told) == [AWAY, BACK]


def test_who_never_missed_it_tells_of_no_return(told):
    outage = OutageLog()
    outage.over("intake")
    outage.notice("poll", "ConnectionError")
    outage.over("intake")
    assert events(told) == [AWAY]


def test_a_second_absence_is_told_again(told):
    outage = OutageLog()
    for _ in range(2):
        outage.notice("poll", "ConnectionError")
        outage.over("poll")
    assert events(told) == [AWAY, BACK, AWAY, BACK]


def test_what_a_server_refuses_is_told_once_a_minute_whoever_meets_it(told, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cancellist.worker.calls.log_throttle.monotonic", lambda: now[0])
    outage = OutageLog()
    for at in range(0, 120, 5):
        now[0] = at
        outage.notice("sweep", LedgerRefusedError("it forbids evalsha: allow it"))
        tell_refused(LedgerRefusedError("it forbids evalsha: allow it"), account="north")
    assert events(told) == [REFUSED] * 2
    tell_refused(LedgerUnfitError("another: mend it"), account="north")
    assert events(told) == [REFUSED] * 3


def test_who_is_refused_has_found_the_server_back(told):
    outage = OutageLog()
    outage.notice("sweep", LedgerUnavailableError("away"))
    outage.notice("sweep", LedgerRefusedError("no"))
    assert events(told) == [AWAY, REFUSED, BACK]


@pytest.mark.parametrize("error", [LedgerUnavailableError("away"), LedgerFullError("full")])
def test_an_absence_and_a_full_server_are_no_refusals(told, error):
    assert not tell_refused(error, account="north")
    assert told == []
