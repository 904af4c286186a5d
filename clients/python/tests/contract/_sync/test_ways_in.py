# Made by scripts/generate_sync.py from _async/test_ways_in.py: change that one, and run the script.

"""What one way in cannot do, it says, and which can; and what Redis alone does."""

from pathlib import Path

import pytest

from cancellist_client import Client, IdempotencyConflict, InputError, UnsupportedError


@pytest.mark.only("redis")
def test_over_redis_a_job_is_an_entry_and_its_results_are_consumed(client: Client, backend, group) -> None:
    references = backend.references(3)
    assert [result for result in client.consume(group, wait=0, from_start=False)] == []
    job = client.submit(references, reason="order withdrawn", requested_by="shop")
    assert job.entry is not None
    left = set(references)
    for result in client.consume(group, wait=60):
        left.discard(result.reference)
        if not left:
            break
    assert not left


@pytest.mark.only("redis")
def test_over_redis_a_key_makes_one_job(client: Client, backend, group) -> None:
    references = backend.references(2)
    entries = {(client.submit(references, idempotency_key=group, requested_by="shop")).entry for _ in range(3)}
    assert len(entries) == 3
    with backend.stack.client() as http:
        other = http.submit(references, idempotency_key=group, requested_by="shop")
        other.wait(60)
        assert [job.id for job in http.jobs() if job.status.document["idempotency_key"] == group] == [other.id]


@pytest.mark.only("redis")
@pytest.mark.parametrize("form", ["text", "json", "iterator", "many"])
def test_over_redis_text_json_and_iterators_go(client: Client, backend, group, tmp_path: Path, form) -> None:
    references = backend.made_up(6_000 if form == "many" else 3)
    given = {"iterator": iter(references), "many": references}.get(form)
    if form == "text":
        given = tmp_path / "references.txt"
        given.write_text("\n".join(references))
    elif form == "json":
        given = tmp_path / "references.json"
        given.write_text(str(references).replace("'", '"'))
    job = client.submit(given, idempotency_key=group, start_at="+2h")
    with backend.stack.client() as http:
        found = http.job(job.identify(60))
        assert (found.status.document["intake_entry"], found.status.total) == (job.entry, len(references))
        assert job.id == found.id
        found.abort()


@pytest.mark.only("redis")
def test_over_redis_a_job_has_its_id_once_a_worker_has_answered(client: Client, backend, group) -> None:
    jobs = [client.submit(backend.made_up(2), start_at="+2h") for _ in range(3)]
    ids = [job.identify(60) for job in reversed(jobs)]
    assert len(set(ids)) == 3
    assert [job.id for job in reversed(jobs)] == ids
    same = [client.submit(["EC-000-05D-1NS"], idempotency_key=group, start_at="+2h") for _ in range(2)]
    assert same[0].identify(60) == same[1].identify(60)
    with pytest.raises(IdempotencyConflict):
        (client.submit(["EC-000-05D-1NT"], idempotency_key=group)).identify(60)
    with pytest.raises(InputError, match="deadline"):
        (client.submit(["EC-000-05D-1NS"], deadline="2020-01-01T00:00:00Z")).identify(60)
    with backend.stack.client() as http:
        for job in ids:
            (http.job(job)).abort()


@pytest.mark.only("http")
def test_over_http_a_job_has_its_id_at_once(client: Client, backend) -> None:
    job = client.submit(backend.made_up(2), start_at="+2h")
    assert job.identify(0) == job.id
    job.abort()


@pytest.mark.only("redis")
def test_what_redis_cannot_do_names_http(client: Client, backend, tmp_path: Path) -> None:
    job = client.submit(backend.references(1))
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
        lambda: next(client.jobs()),
        lambda: next(job.results()),
        lambda: client.submit(table),
        lambda: client.submit(["EC-000-05D-1NS"], max_invalid=3),
    ):
        with pytest.raises(UnsupportedError, match="https://"):
            what()


@pytest.mark.only("http")
def test_what_http_cannot_do_names_redis(client: Client) -> None:
    with pytest.raises(UnsupportedError, match="redis://"):
        next(iter(client.consume("billing")))
    with pytest.raises(UnsupportedError, match="redis://"):
        next(iter(client.consume("billing").batches()))


@pytest.mark.only("redis")
def test_an_entry_that_is_too_large_names_http(client: Client) -> None:
    with pytest.raises(InputError, match="https://"):
        client.submit("EC-000-05D-1NS" for _ in range(4_000_000))
