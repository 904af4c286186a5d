"""What one way in cannot do, it says, and which can; and what Redis alone does."""

from pathlib import Path

import pytest

from cancellist_client import AsyncClient, IdempotencyConflict, InputError, UnsupportedError


@pytest.mark.only("redis")
async def test_over_redis_a_job_is_an_entry_and_its_results_are_consumed(client: AsyncClient, backend, group) -> None:
    references = backend.references(3)
    assert [result async for result in client.consume(group, wait=0, from_start=False)] == []
    job = await client.submit(references, reason="order withdrawn", requested_by="shop")
    assert job.entry is not None
    left = set(references)
    async for result in client.consume(group, wait=60):
        left.discard(result.reference)
        if not left:
            break
    assert not left


@pytest.mark.only("redis")
async def test_over_redis_a_key_makes_one_job(client: AsyncClient, backend, group) -> None:
    references = backend.references(2)
    entries = {(await client.submit(references, idempotency_key=group, requested_by="shop")).entry for _ in range(3)}
    assert len(entries) == 3
    async with backend.stack.async_client() as http:
        other = await http.submit(references, idempotency_key=group, requested_by="shop")
        await other.wait(60)
        assert [job.id async for job in http.jobs() if job.status.document["idempotency_key"] == group] == [other.id]


@pytest.mark.only("redis")
@pytest.mark.parametrize("form", ["text", "json", "iterator", "many"])
async def test_over_redis_text_json_and_iterators_go(client: AsyncClient, backend, group, tmp_path: Path, form) -> None:
    references = backend.made_up(6_000 if form == "many" else 3)
    given = {"iterator": iter(references), "many": references}.get(form)
    if form == "text":
        given = tmp_path / "references.txt"
        given.write_text("\n".join(references))
    elif form == "json":
        given = tmp_path / "references.json"
        given.write_text(str(references).replace("'", '"'))
    job = await client.submit(given, idempotency_key=group, start_at="+2h")
    async with backend.stack.async_client() as http:
        found = await http.job(await job.identify(60))
        assert (found.status.document["intake_entry"], found.status.total) == (job.entry, len(references))
        assert job.id == found.id
        await found.abort()


@pytest.mark.only("redis")
async def test_over_redis_a_job_has_its_id_once_a_worker_has_answered(client: AsyncClient, backend, group) -> None:
    jobs = [await client.submit(backend.made_up(2), start_at="+2h") for _ in range(3)]
    ids = [await job.identify(60) for job in reversed(jobs)]
    assert len(set(ids)) == 3
    assert [job.id for job in reversed(jobs)] == ids
    same = [await client.submit(["EC-000-05D-1NS"], idempotency_key=group, start_at="+2h") for _ in range(2)]
    assert await same[0].identify(60) == await same[1].identify(60)
    with pytest.raises(IdempotencyConflict):
        await (await client.submit(["EC-000-05D-1NT"], idempotency_key=group)).identify(60)
    with pytest.raises(InputError, match="deadline"):
        await (await client.submit(["EC-000-05D-1NS"], deadline="2020-01-01T00:00:00Z")).identify(60)
    async with backend.stack.async_client() as http:
        for job in ids:
            await (await http.job(job)).abort()


@pytest.mark.only("http")
async def test_over_http_a_job_has_its_id_at_once(client: AsyncClient, backend) -> None:
    job = await client.submit(backend.made_up(2), start_at="+2h")
    assert await job.identify(0) == job.id
    await job.abort()


@pytest.mark.only("redis")
async def test_what_redis_cannot_do_names_http(client: AsyncClient, backend, tmp_path: Path) -> None:
    job = await client.submit(backend.references(1))
    table = tmp_path / "references.csv"
    table.write_text("Reference\nEC-000-05D-1NS\n")
    for what in (
        lambda: job.id,
        lambda: job.state,
        job.refresh,
        job.wait,
        job.pause,
        job.resume,
        job.abort,
        job.retry,
        lambda: job.update(priority="bulk"),
        lambda: client.job("somejob"),
        lambda: anext(client.jobs()),
        lambda: anext(job.results()),
        lambda: client.submit(table),
        lambda: client.submit(["EC-000-05D-1NS"], max_invalid=3),
    ):
        with pytest.raises(UnsupportedError, match="https://"):
            await what()


@pytest.mark.only("http")
async def test_what_http_cannot_do_names_redis(client: AsyncClient) -> None:
    with pytest.raises(UnsupportedError, match="redis://"):
        await anext(aiter(client.consume("billing")))
    with pytest.raises(UnsupportedError, match="redis://"):
        await anext(aiter(client.consume("billing").batches()))


@pytest.mark.only("redis")
async def test_an_entry_that_is_too_large_names_http(client: AsyncClient) -> None:
    with pytest.raises(InputError, match="https://"):
        await client.submit("EC-000-05D-1NS" for _ in range(4_000_000))
