"""The headers that the platform's client sends, and what it makes of those that come, odd ones and many."""

import asyncio
import os
import time
from email.utils import formatdate

import pytest
from structlog.testing import capture_logs

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.worker.platform.client import KEY_HEADER, VERSION_HEADER, PlatformClient
from tests.support.chatty import Asked, chatting, reply

LISTED, ALONE = ["EC-000-000-001", "EC-000-000-002"], ["EC-000-000-001"]
MADE_UP = 1_900_000_000
"""The time by the platform's clock, which is years from ours."""


async def asked(**options) -> list[Asked]:
    """What goes out for one call of each kind."""
    with chatting(lambda _: reply(200)) as server:
        async with PlatformClient(server.url, "secret", timeout_s=5, **options) as client:
            for call in (client.cancel(LISTED), client.cancel(ALONE), client.deallocate(ALONE), client.status(*ALONE)):
                await call
        return server.requests


async def answered(*answers: bytes, call: str = "cancel", timeout_s: float = 5) -> Answer | Failure:
    """What the last of these calls comes to."""
    left = list(answers)
    with chatting(lambda _: left.pop(0)) as server:
        async with PlatformClient(server.url, None, timeout_s=timeout_s) as client:
            for _ in answers:
                got = await (client.status(*ALONE) if call == "status" else client.cancel(LISTED))
        return got


# what is sent


async def test_every_put_is_json_with_and_without_a_body_and_every_call_wants_json():
    requests = await asked(version="1.1")
    assert [one.line.split()[0] for one in requests] == ["PUT", "PUT", "PUT", "GET"]
    for one in requests:
        assert one.headers["accept"] == "application/json"
        assert one.headers[VERSION_HEADER] == "1.1"
        assert one.headers[KEY_HEADER] == "secret"
        assert one.headers.get("content-type") == ("application/json" if one.line.startswith("PUT") else None)
        assert one.headers.get("content-length") == (str(len(one.body)) if one.line.startswith("PUT") else None)
    assert [one.body != b"" for one in requests] == [True, False, True, False]


async def test_an_empty_version_is_not_named():
    assert not any(VERSION_HEADER in one.headers for one in await asked(version=""))


async def test_reads_alone_ask_for_what_holds_now():
    requests = await asked()
    assert ["cache-control" in one.headers for one in requests] == [False, False, False, True]
    assert (requests[3].headers["cache-control"], requests[3].headers["pragma"]) == ("no-cache", "no-cache")


# what comes


@pytest.mark.parametrize(
    "odd",
    [
        ["X-Long: " + "x" * 100_000],
        ["x" * 20_000 + ": y"],
        [f"X-{n}: y" for n in range(2_000)],
        ["Set-Cookie: a=" + "b" * 9_000] * 9,
        ["Content-Type: text/html", "Content-Type: application/json"],
        [
            "X-Tab:\ty",
            "X-Empty:",
            "X-Latin: caf\u00e9",
            "Retry-After: never",
            "Age: ",
            "Date: today",
            "Last-Modified: x",
        ],
    ],
    ids=["long", "long name", "many", "cookies", "twice", "odd values"],
)
async def test_long_and_many_headers_are_read(odd):
    assert await answered(reply(200, [], *odd)) == Answer(200, [])


async def test_a_long_reason_is_read():
    assert await answered(b"HTTP/1.1 200 " + b"x" * 50_000 + b"\r\nContent-Length: 2\r\n\r\n[]") == Answer(200, [])


@pytest.mark.parametrize(
    "odd",
    [
        "X-Blank : y",
        "no colon",
        "Content-Length: 2",
        "Content-Length: 3",
        "Content-Length: -2",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        " folded: y",
        ": nameless",
        "X-Nul: \0",
        "X-Long: " + "x" * 2_000_000,
    ],
)
@pytest.mark.parametrize("call", ["cancel", "status"])
async def test_headers_that_are_not_by_the_book_are_read_or_leave_it_unclear(odd, call):
    got = await answered(reply(200, [], odd), call=call)
    if isinstance(got, Answer):
        assert got in (Answer(200, []), Answer(200, UNREADABLE))
    else:
        assert got.written
        assert got.reason
        assert "\n" not in got.reason
        assert "secret" not in got.reason


async def test_headers_that_cannot_be_read_are_told_plainly_and_without_what_they_hold():
    got = await answered(reply(200, [], "Set-Cookie : session=secret"))
    assert got == Failure("the answer cannot be read (Invalid header token)", written=True)


@pytest.mark.parametrize("status", [100, 102, 103])
async def test_an_answer_that_is_on_its_way_is_not_taken_for_the_answer(status):
    hint = f"HTTP/1.1 {status} X\r\nLink: </a>\r\n\r\n".encode()
    assert await answered(hint * 3 + reply(200, [])) == Answer(200, [])


async def test_answers_on_their_way_without_an_end_are_given_up():
    got = await answered(b"HTTP/1.1 102 X\r\nX-More: y\r\n\r\n" * 100_000)
    assert isinstance(got, Failure)
    assert got.written


async def test_an_answer_that_changes_the_protocol_is_none():
    got = await answered(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    assert got == Failure("the platform wants another protocol", written=True)


# how long to wait


@pytest.fixture
def _odd_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


DATE = f"Date: {formatdate(MADE_UP, usegmt=True)}"


@pytest.mark.usefixtures("_odd_zone")
@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (["Retry-After: 3.0"], 3),
        (["Retry-After: 4", "Retry-After: 9", "Retry-After: 5"], 9),
        (["Retry-After: 4, 4"], 4),
        ([DATE, f"Retry-After: {formatdate(MADE_UP + 9, usegmt=True)}"], 9),
        ([DATE, f"Retry-After: {time.asctime(time.gmtime(MADE_UP + 9))}"], 9),
        ([DATE, f"Retry-After: {formatdate(MADE_UP + 9, usegmt=True)[:-4]}"], 9),
        ([DATE, f"Retry-After: {formatdate(MADE_UP - 9, usegmt=True)}"], 0),
        (["Retry-After: -1"], 0),
        (["Retry-After: soon"], None),
    ],
)
async def test_the_platform_says_how_long_to_wait_in_any_form(headers, wanted):
    assert os.environ["TZ"] == "Asia/Kathmandu"
    got = await answered(reply(429, None, *headers))
    assert isinstance(got, Answer)
    assert got.retry_after_s == wanted


async def test_a_date_to_wait_for_without_the_answers_own_counts_from_the_platforms_clock():
    known = reply(200, [], DATE)
    got = await answered(known, reply(429, None, f"Retry-After: {formatdate(MADE_UP + 60, usegmt=True)}"))
    assert isinstance(got, Answer)
    assert got.retry_after_s == pytest.approx(60, abs=2)


async def test_a_pause_beyond_every_measure_is_cut_and_told_once():
    with capture_logs() as lines:
        got = await answered(*[reply(429, None, "Retry-After: 99999999")] * 3)
    assert isinstance(got, Answer)
    assert got.retry_after_s == 3600
    assert [line["asked_seconds"] for line in lines if line["log_level"] == "warning"] == [99_999_999]


# how old it is


async def read(*headers: str, after: int = 0) -> Answer:
    """A read of a state, after a call that has told the platform's clock."""
    known = reply(200, [], DATE)
    left = [known, reply(200, {"Status": "Allocated"}, *headers)]
    with chatting(lambda _: left.pop(0)) as server:
        async with PlatformClient(server.url, None, timeout_s=5) as client:
            await client.cancel(LISTED)
            got = await client.status(*ALONE)
    assert isinstance(got, Answer)
    return got


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([], 0),
        (["Age: 300"], 300),
        (["Age: 20", "Age: 300"], 300),
        (["Age: soon"], 0),
        ([DATE], 0),
        ([DATE, "Age: 300"], 300),
        ([f"Date: {formatdate(MADE_UP - 300, usegmt=True)}"], 300),
        ([f"Date: {formatdate(MADE_UP + 300, usegmt=True)}"], 0),
        ([f"Date: {formatdate(MADE_UP - 300, usegmt=True)}", "Age: 20"], 300),
        (["Date: today"], 0),
    ],
)
async def test_an_answer_says_how_old_it_is_whatever_our_clock_says(headers, wanted):
    assert (await read(*headers)).age_s == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([], None),
        ([f"Last-Modified: {formatdate(MADE_UP - 60, usegmt=True)}"], 60),
        ([DATE, f"Last-Modified: {formatdate(MADE_UP - 60, usegmt=True)}"], 60),
        ([DATE, "Age: 300", f"Last-Modified: {formatdate(MADE_UP - 60, usegmt=True)}"], 360),
        ([f"Last-Modified: {formatdate(MADE_UP + 60, usegmt=True)}"], 0),
        (["Last-Modified: lately"], None),
    ],
)
async def test_an_answer_says_for_how_long_nothing_has_changed(headers, wanted):
    assert (await read(*headers)).unmodified_s == (wanted if wanted is None else pytest.approx(wanted, abs=2))


async def test_what_answers_a_put_was_never_kept():
    slow = reply(200, [], f"Date: {formatdate(MADE_UP - 300, usegmt=True)}")
    assert await answered(reply(200, [], DATE), slow) == Answer(200, [])


@pytest.mark.timed
async def test_the_timeout_covers_all_of_a_call():
    begun = asyncio.get_running_loop().time()
    got = await answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", timeout_s=0.3)
    assert got == Failure("no answer in time", written=True, timed_out=True)
    assert asyncio.get_running_loop().time() - begun < 3
