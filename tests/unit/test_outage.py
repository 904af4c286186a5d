"""The server's absence and its return are each told once, however many tasks notice them."""

import pytest
from structlog.testing import capture_logs

from worker.outage import Outage

AWAY, BACK = "server away, waiting for it", "server back"


@pytest.fixture
def told():
    with capture_logs() as lines:
        yield lines


def events(lines):
    return [line["event"] for line in lines]


def test_an_absence_is_told_once_with_who_found_it_first_and_why(told):
    outage = Outage()
    for who in ("sweep", "poll", "sweep"):
        outage.notice(who, "ConnectionError")
    assert told == [{"event": AWAY, "task": "sweep", "error": "ConnectionError", "log_level": "warning"}]


def test_the_return_is_told_once_when_the_last_has_found_it(told):
    outage = Outage()
    for who in ("sweep", "poll"):
        outage.notice(who, "ConnectionError")
    outage.over("poll")
    assert events(told) == [AWAY]
    outage.over("sweep")
    outage.over("sweep")
    assert events(told) == [AWAY, BACK]


def test_who_never_missed_it_tells_of_no_return(told):
    outage = Outage()
    outage.over("intake")
    outage.notice("poll", "ConnectionError")
    outage.over("intake")
    assert events(told) == [AWAY]


def test_a_second_absence_is_told_again(told):
    outage = Outage()
    for _ in range(2):
        outage.notice("poll", "ConnectionError")
        outage.over("poll")
    assert events(told) == [AWAY, BACK, AWAY, BACK]
