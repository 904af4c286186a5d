"""Results of all jobs through a consumer group."""

import pytest

from cancellist_client import AsyncClient, InputError, Outcome, Result

pytestmark = pytest.mark.only("fake", "redis")


async def begun(client: AsyncClient, *groups: str) -> None:
    """Makes groups that get what comes from now on."""
    for group in groups:
        assert [result async for result in client.consume(group, wait=0, from_start=False)] == []


async def handed_in(client: AsyncClient, backend, count: int, *groups: str) -> set[str]:
    """Hands in a job, and waits until all its results are in the stream; these groups get nothing that was before."""
    references = set(backend.references(count))
    look = f"look-{min(references)}"
    await begun(client, look, *groups)
    await client.submit(list(references))
    left = set(references)
    async for result in client.consume(look, wait=60):
        left.discard(result.reference)
        if not left:
            break
    return references


async def only(results, references: set[str]) -> list[Result]:
    """Those of a job, until nothing more comes."""
    return [result async for result in results if result.reference in references]


async def test_each_group_gets_every_result_once(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 5, group, f"{group}-2")
    for name in (group, f"{group}-2"):
        found = await only(client.consume(name, consumer="one", wait=backend.quiet_s), references)
        assert sorted(r.reference for r in found) == sorted(references)
        assert {r.outcome for r in found} == {Outcome.CANCELLED}
        assert len({r.entry for r in found}) == 5
    assert await only(client.consume(group, consumer="one", wait=backend.quiet_s), references) == []
    assert await only(client.consume(group, consumer="two", wait=backend.quiet_s), references) == []


async def test_where_the_body_raised_the_result_comes_again(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 6, group)
    done: list[str] = []

    async def work(*, failing: bool) -> None:
        async for result in client.consume(group, consumer="one", batch=4, wait=backend.quiet_s):
            if result.reference in references:
                if failing and len(done) == 2:
                    raise ZeroDivisionError
                done.append(result.reference)

    with pytest.raises(ZeroDivisionError):
        await work(failing=True)
    assert len(done) == 2
    await work(failing=False)
    assert sorted(done) == sorted(references)


async def test_what_a_dead_consumer_held_is_taken_over(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 5, group)
    async for result in client.consume(group, consumer="dead", batch=1000, wait=backend.quiet_s):
        if result.reference in references:
            break
    held = await only(client.consume(group, consumer="heir", take_over_after=60, wait=backend.quiet_s), references)
    assert held == []
    found = await only(client.consume(group, consumer="heir", take_over_after=0.01, wait=backend.quiet_s), references)
    assert sorted(r.reference for r in found) == sorted(references)
    assert await only(client.consume(group, consumer="dead", wait=backend.quiet_s), references) == []


async def test_a_batch_is_acknowledged_whole(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 6, group)
    seen: list[list[Result]] = []
    async for batch in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s).batches():
        seen.append(batch)
        break
    again: list[Result] = []
    async for batch in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s).batches():
        again += batch
    assert again[: len(seen[0])] == seen[0]
    assert references <= {r.reference for r in again}
    left = {r.reference async for r in client.consume(group, consumer="one", wait=backend.quiet_s)}
    assert not references & left


async def test_a_new_group_may_begin_with_what_comes_next(client: AsyncClient, backend, group) -> None:
    before = await handed_in(client, backend, 2)
    assert await only(client.consume(group, wait=0.1, from_start=False), before) == []
    after = await handed_in(client, backend, 2)
    found = {r.reference async for r in client.consume(group, wait=backend.quiet_s)}
    assert after <= found
    assert not before & found


async def test_what_was_taken_over_meanwhile_is_not_given_again(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 4, group)
    own: list[str] = []
    taken: list[Result] = []
    options = {"batch": 1000, "take_over_after": 0.001, "wait": backend.quiet_s}
    async for result in client.consume(group, consumer="slow", **options):
        if result.reference not in references:
            continue
        own.append(result.reference)
        taken += await only(client.consume(group, consumer="quick", **options), references)
    assert len(own) == 1
    assert sorted(r.reference for r in taken) == sorted(references)


@pytest.mark.timed
async def test_what_comes_again_is_kept_from_others(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 4, group)
    async for _ in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s):
        break
    held = await only(client.consume(group, consumer="other", take_over_after=30, wait=1.1), references)
    assert held == []
    own: list[str] = []
    taken: list[Result] = []
    async for result in client.consume(group, consumer="one", batch=1000, take_over_after=30, wait=backend.quiet_s):
        own.append(result.reference)
        if len(own) == 1:
            other = client.consume(group, consumer="other", take_over_after=1, wait=0)
            taken += await only(other, references)
    assert taken == []
    assert sorted(own) == sorted(references)


@pytest.mark.timed
async def test_what_waits_in_the_batch_of_a_slow_body_is_not_taken_over(client: AsyncClient, backend, group) -> None:
    references = await handed_in(client, backend, 4, group)
    own: list[str] = []
    taken: list[Result] = []
    async for result in client.consume(group, consumer="slow", batch=1000, take_over_after=3, wait=backend.quiet_s):
        if result.reference in references:
            own.append(result.reference)
            other = client.consume(group, consumer="other", take_over_after=3, wait=1.1)  # in all longer than 3 seconds
            taken += await only(other, references)
    assert sorted(own) == sorted(references)
    assert taken == []


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"take_over_after": 0}, {"consumer": ""}])
async def test_what_makes_no_sense_is_refused(client: AsyncClient, wrong) -> None:
    with pytest.raises(InputError) as caught:
        client.consume("billing", **wrong)
    assert [error.field for error in caught.value.errors] == list(wrong)
