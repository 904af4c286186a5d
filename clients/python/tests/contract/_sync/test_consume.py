# Made by scripts/generate_sync.py from _async/test_consume.py: change that one, and run the script.

"""Results of all jobs through a consumer group."""

import pytest

from cancellist_client import Client, InputError, Outcome, Result

pytestmark = pytest.mark.only("fake", "redis")


def begun(client: Client, *groups: str) -> None:
    """Makes groups that get what comes from now on."""
    for group in groups:
        assert [result for result in client.consume(group, wait=0, from_start=False)] == []


def handed_in(client: Client, backend, count: int, *groups: str) -> set[str]:
    """Hands in a job, and waits until all its results are in the stream; these groups get nothing that was before."""
    references = set(backend.references(count))
    look = f"look-{min(references)}"
    begun(client, look, *groups)
    client.submit(list(references))
    left = set(references)
    for result in client.consume(look, wait=60):
        left.discard(result.reference)
        if not left:
            break
    return references


def only(results, references: set[str]) -> list[Result]:
    """Those of a job, until nothing more comes."""
    return [result for result in results if result.reference in references]


def test_each_group_gets_every_result_once(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 5, group, f"{group}-2")
    for name in (group, f"{group}-2"):
        found = only(client.consume(name, consumer="one", wait=backend.quiet_s), references)
        assert sorted(r.reference for r in found) == sorted(references)
        assert {r.outcome for r in found} == {Outcome.CANCELLED}
        assert len({r.entry for r in found}) == 5
    assert only(client.consume(group, consumer="one", wait=backend.quiet_s), references) == []
    assert only(client.consume(group, consumer="two", wait=backend.quiet_s), references) == []


def test_where_the_body_raised_the_result_comes_again(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 6, group)
    done: list[str] = []

    def work(*, failing: bool) -> None:
        for result in client.consume(group, consumer="one", batch=4, wait=backend.quiet_s):
            if result.reference in references:
                if failing and len(done) == 2:
                    raise ZeroDivisionError
                done.append(result.reference)

    with pytest.raises(ZeroDivisionError):
        work(failing=True)
    assert len(done) == 2
    work(failing=False)
    assert sorted(done) == sorted(references)


def test_what_a_dead_consumer_held_is_taken_over(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 5, group)
    for result in client.consume(group, consumer="dead", batch=1000, wait=backend.quiet_s):
        if result.reference in references:
            break
    held = only(client.consume(group, consumer="heir", take_over_after=60, wait=backend.quiet_s), references)
    assert held == []
    found = only(client.consume(group, consumer="heir", take_over_after=0.01, wait=backend.quiet_s), references)
    assert sorted(r.reference for r in found) == sorted(references)
    assert only(client.consume(group, consumer="dead", wait=backend.quiet_s), references) == []


def test_a_batch_is_acknowledged_whole(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 6, group)
    seen: list[list[Result]] = []
    for batch in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s).batches():
        seen.append(batch)
        break
    again: list[Result] = []
    for batch in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s).batches():
        again += batch
    assert again[: len(seen[0])] == seen[0]
    assert references <= {r.reference for r in again}
    left = {r.reference for r in client.consume(group, consumer="one", wait=backend.quiet_s)}
    assert not references & left


def test_a_new_group_may_begin_with_what_comes_next(client: Client, backend, group) -> None:
    before = handed_in(client, backend, 2)
    assert only(client.consume(group, wait=0.1, from_start=False), before) == []
    after = handed_in(client, backend, 2)
    found = {r.reference for r in client.consume(group, wait=backend.quiet_s)}
    assert after <= found
    assert not before & found


def test_what_was_taken_over_meanwhile_is_not_given_again(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 4, group)
    own: list[str] = []
    taken: list[Result] = []
    options = {"batch": 1000, "take_over_after": 0.001, "wait": backend.quiet_s}
    for result in client.consume(group, consumer="slow", **options):
        if result.reference not in references:
            continue
        own.append(result.reference)
        taken += only(client.consume(group, consumer="quick", **options), references)
    assert len(own) == 1
    assert sorted(r.reference for r in taken) == sorted(references)


@pytest.mark.timed
def test_what_comes_again_is_kept_from_others(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 4, group)
    for _ in client.consume(group, consumer="one", batch=1000, wait=backend.quiet_s):
        break
    held = only(client.consume(group, consumer="other", take_over_after=30, wait=1.1), references)
    assert held == []
    own: list[str] = []
    taken: list[Result] = []
    for result in client.consume(group, consumer="one", batch=1000, take_over_after=30, wait=backend.quiet_s):
        own.append(result.reference)
        if len(own) == 1:
            other = client.consume(group, consumer="other", take_over_after=1, wait=0)
            taken += only(other, references)
    assert taken == []
    assert sorted(own) == sorted(references)


@pytest.mark.timed
def test_what_waits_in_the_batch_of_a_slow_body_is_not_taken_over(client: Client, backend, group) -> None:
    references = handed_in(client, backend, 4, group)
    own: list[str] = []
    taken: list[Result] = []
    for result in client.consume(group, consumer="slow", batch=1000, take_over_after=3, wait=backend.quiet_s):
        if result.reference in references:
            own.append(result.reference)
            other = client.consume(group, consumer="other", take_over_after=3, wait=1.1)  # in all longer than 3 seconds
            taken += only(other, references)
    assert sorted(own) == sorted(references)
    assert taken == []


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"take_over_after": 0}, {"consumer": ""}])
def test_what_makes_no_sense_is_refused(client: Client, wrong) -> None:
    with pytest.raises(InputError) as caught:
        client.consume("billing", **wrong)
    assert [error.field for error in caught.value.errors] == list(wrong)
