"""Requests that are sent again, and those that never are."""

import io
import json
import time
from pathlib import Path

import pytest

from cancellist_client import (
    ApiError,
    AsyncClient,
    AuthError,
    IdempotencyConflict,
    InProgress,
    InputError,
    NotFound,
    RateLimited,
    ServerUnavailable,
    TlsError,
    TransportError,
    UnsupportedError,
)
from cancellist_client._async.job import AsyncJob

TAKEN = {"job": "0abc", "state": "queued", "total": 1, "duplicates": 0, "invalid": 0, "blank": 0}
REFERENCES = ["EC-000-05D-1NS"]


def problem(code: str, detail: str = "no", **more) -> dict:
    return {"type": f"/problems/{code}", "title": "No", "detail": detail, "request_id": "r-1", **more}


async def test_the_key_is_kept_over_all_attempts(client: AsyncClient, scripted, answer) -> None:
    busy = answer(503, problem("server_unavailable"))
    limited = answer(429, problem("too_many_requests"))
    under_way = answer(409, problem("idempotency_in_progress"))
    scripted.answers = [answer(None), busy, limited, under_way, answer(202, TAKEN)]
    job = await client.submit(REFERENCES, reason="strike")
    assert job.id == "0abc"
    assert len(scripted.asked) == 5
    assert len({asked.headers["idempotency-key"] for asked in scripted.asked}) == 1
    assert {asked.headers["authorization"] for asked in scripted.asked} == {"Bearer s3cret-token"}
    assert [json.loads(asked.body) for asked in scripted.asked] == [{"references": REFERENCES, "reason": "strike"}] * 5


async def test_a_server_that_cannot_be_trusted_is_told_at_once(scripted) -> None:
    async with AsyncClient(scripted.url.replace("http:", "https:"), retries=99) as client:
        with pytest.raises(TlsError, match="does it speak http://"):
            await client.submit(REFERENCES)
    assert not scripted.asked


async def test_each_submission_has_a_key_of_its_own(client: AsyncClient, scripted, answer) -> None:
    scripted.otherwise = lambda _: answer(202, TAKEN)
    for _ in range(3):
        await client.submit(REFERENCES)
    await client.submit(REFERENCES, idempotency_key="order-4711")
    keys = [asked.headers["idempotency-key"] for asked in scripted.asked]
    assert len(set(keys)) == 4
    assert keys[3] == "order-4711"


REFUSALS = [
    (400, "malformed", InputError),
    (401, "unauthorized", AuthError),
    (403, "forbidden", AuthError),
    (404, "unknown_job", NotFound),
    (405, "method_not_allowed", ApiError),
    (409, "job_state", ApiError),
    (410, "results_gone", ApiError),
    (413, "body_too_large", InputError),
    (415, "unsupported_media_type", InputError),
    (422, "validation", InputError),
    (422, "idempotency_conflict", IdempotencyConflict),
    (500, "internal", ApiError),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: f"{case[0]}-{case[1]}")
async def test_other_refusals_are_raised_at_once(client: AsyncClient, scripted, answer, case) -> None:
    status, code, kind = case
    errors = [{"field": "reason", "message": "too long"}]
    scripted.answers = [answer(status, problem(code, "it is so", hint="do that", errors=errors))]
    with pytest.raises(kind) as caught:
        await client.submit(REFERENCES)
    error = caught.value
    assert (error.code, error.status, error.detail, error.hint) == (code, status, "it is so", "do that")
    assert [(one.field, one.message) for one in error.errors] == [("reason", "too long")]
    assert error.request_id == "r-1"
    assert "it is so" in str(error)
    assert len(scripted.asked) == 1


async def test_a_wait_that_is_asked_for_is_kept(client: AsyncClient, scripted, answer) -> None:
    scripted.answers = [
        answer(503, problem("server_unavailable"), {"Retry-After": "1"}),
        answer(202, TAKEN),
    ]
    began = time.monotonic()
    await client.submit(REFERENCES)
    assert time.monotonic() - began >= 1


async def test_a_wait_that_is_too_long_is_told(client: AsyncClient, scripted, answer) -> None:
    scripted.answers = [answer(429, problem("too_many_requests"), {"Retry-After": "3600"})]
    with pytest.raises(RateLimited) as caught:
        await client.submit(REFERENCES)
    assert caught.value.retry_after == 3600
    assert len(scripted.asked) == 1


OVER = [
    (503, "server_unavailable", ServerUnavailable),
    (429, "too_many_requests", RateLimited),
    (409, "idempotency_in_progress", InProgress),
]


@pytest.mark.parametrize("case", OVER, ids=lambda case: str(case[0]))
async def test_attempts_are_bounded(client: AsyncClient, scripted, answer, case) -> None:
    status, code, kind = case
    scripted.otherwise = lambda _: answer(status, problem(code))
    with pytest.raises(kind):
        await client.submit(REFERENCES)
    assert len(scripted.asked) == 6


async def test_without_a_server_the_error_says_so(client: AsyncClient, scripted) -> None:
    scripted.close()
    with pytest.raises(TransportError, match=scripted.url):
        await client.submit(REFERENCES)


def is_whole(asked, raw: bytes) -> bool:
    return asked.body == raw


async def test_an_upload_that_was_cut_is_sent_again_from_the_start(
    client: AsyncClient, scripted, answer, tmp_path: Path
) -> None:
    raw = b"".join(b"EC-%03d-%03d-000\n" % (n // 1000, n % 1000) for n in range(200_000))
    path = tmp_path / "references.txt"
    path.write_bytes(raw)
    opened = path.open("rb")
    with opened:
        opened.read(17)
        for given, wanted, kind in (
            (path, raw, {}),
            (io.BytesIO(raw), raw, {"content_type": "text/plain"}),
            (opened, raw[17:], {}),
        ):
            scripted.answers = [answer(None, read=100_000), answer(None, read=2_000_000), answer(202, TAKEN)]
            scripted.asked.clear()
            await client.submit(given, reason="a b&c=%", column=2, header=False, **kind)
            first, second, third = scripted.asked
            assert len(first.body) < len(wanted)
            assert len(second.body) < len(wanted)
            assert is_whole(third, wanted)
            assert third.query == {"reason": "a b&c=%", "column": "2", "header": "false"}
            assert third.headers["content-type"] == "text/plain"
            assert third.headers["idempotency-key"] == first.headers["idempotency-key"]


async def test_an_iterator_that_was_cut_is_sent_again_from_the_start(client: AsyncClient, scripted, answer) -> None:
    references = [f"EC-{n // 1000:03d}-{n % 1000:03d}-000" for n in range(100_000)]
    for given in (iter(references), references, set(references)):
        scripted.answers = [answer(None, read=500_000), answer(202, TAKEN)]
        scripted.asked.clear()
        await client.submit(given)
        first, second = scripted.asked
        assert len(first.body) < len(second.body)
        assert sorted(json.loads(line) for line in second.body.splitlines()) == sorted(references)
        assert second.headers["content-type"] == "application/x-ndjson"


async def test_a_packed_file_says_so(client: AsyncClient, scripted, answer, tmp_path: Path) -> None:
    path = tmp_path / "references.csv.gz"
    path.write_bytes(b"\x1f\x8b and so on")
    scripted.answers = [answer(202, TAKEN)]
    await client.submit(path)
    (asked,) = scripted.asked
    assert (asked.headers["content-type"], asked.headers["content-encoding"]) == ("text/csv", "gzip")
    assert asked.body == path.read_bytes()


async def test_a_file_that_is_not_there_is_told_at_once(client: AsyncClient, scripted, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.submit(tmp_path / "references.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(IsADirectoryError):
        await client.submit(tmp_path / "folder.txt")
    assert scripted.asked == []


ODD = [
    {"status": 200, "document": None},
    {"status": 200, "document": [1]},
    {"status": 202, "document": {"state": "queued"}},
    {"status": 202, "document": {"job": "0abc"}},
    {"status": 200, "document": None, "headers": {"Content-Type": "text/html"}},
]


@pytest.mark.parametrize("odd", ODD)
async def test_an_answer_that_makes_no_sense_is_no_job(client: AsyncClient, scripted, answer, odd) -> None:
    scripted.otherwise = lambda _: answer(**odd)
    with pytest.raises(TransportError):
        await client.submit(REFERENCES)


async def test_a_redirect_is_not_followed(client: AsyncClient, scripted, answer) -> None:
    scripted.answers = [answer(307, None, {"Location": "http://127.0.0.1:1/v1/jobs"})]
    with pytest.raises(ApiError) as caught:
        await client.submit(REFERENCES)
    assert caught.value.status == 307
    assert len(scripted.asked) == 1


async def test_a_job_is_retried_once_however_often_that_is_sent(client: AsyncClient, scripted, answer) -> None:
    scripted.answers = [answer(None), answer(202, {**TAKEN, "job": "0abd"})]
    job = await AsyncJob(client._transport, "0abc", entry=None, status=None).retry(["failed", "expired"])
    assert job.id == "0abd"
    first, second = scripted.asked  # the server makes one job of them
    for one in (first, second):
        assert (one.path, one.query) == ("/v1/jobs/0abc/retry", {"outcome": "failed,expired"})


async def test_a_change_is_sent_again_as_it_was(client: AsyncClient, scripted, answer) -> None:
    scripted.answers = [answer(None), answer(200, TAKEN), answer(405, problem("method_not_allowed"))]
    job = await AsyncJob(client._transport, "0abc", entry=None, status=None).update(priority="bulk", deadline=None)
    for one in scripted.asked:
        assert (one.method, one.path) == ("PATCH", "/v1/jobs/0abc")
        assert json.loads(one.body) == {"priority": "bulk", "deadline": None}
    with pytest.raises(UnsupportedError):
        await job.update(priority="bulk")


async def test_a_server_that_cannot_retry_is_told_from_a_job_that_is_none(client, scripted, answer) -> None:
    scripted.answers = [answer(404, problem("not_found")), answer(404, problem("unknown_job"))]
    job = AsyncJob(client._transport, "0abc", entry=None, status=None)
    with pytest.raises(UnsupportedError):
        await job.retry()
    with pytest.raises(NotFound):
        await job.retry()
