"""Each kind of accident that befell others, by every way in: what stops it, and what the platform has cancelled then.

One server, one platform, one worker and one `serve` are there for all of them. The settings are the worker's alone: no
way in knows them by itself. Each kind has an account of its own.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from redis import Redis

from cancellist.jobs.access import Access
from cancellist.jobs.ledger import plans
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.safety.reference_set import ReferenceSet
from tests.acceptance import accidents
from tests.acceptance.accidents import ACCIDENTS, HEAD, rows_of_page
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, problem, serving
from tests.support.commands import desk as a_desk
from tests.support.ledgers import opened_ledger
from tests.support.waiting import soon
from tests.support.ways_in import WAYS, Answer, Given, WaysIn

pytestmark = pytest.mark.acceptance

CONSIGNMENTS, LARGE = 10_000, 120
NEW_HOST = "platform.invalid"
SETTINGS = {
    "tried": {"canary": "3", "canary_above": "0"},
    "limited": {"max_refused": "2", "max_references_per_call": "1", "max_concurrent_calls": "1"},
    "far": {"api_url": f"https://{NEW_HOST}", "api_key": "no-key"},
    "other": {},
    "approved": {"approve_above": "0"},
    "sized": {"guard_max_references": "2"},
    "daily": {"guard_max_per_day": "2"},
    "part": {"guard_max_share": "1"},
    "usual": {"guard_unusual": "2"},
    "held": {"hold": "300"},
}
APPROVER = OF_ROLE[Access.APPROVE]
WAIT = {"Prefer": f"wait={WITHIN_S}"}


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WaysIn]:
    settings = {f"accounts__{name}__{key}": value for name, one in SETTINGS.items() for key, value in one.items()}
    settings["accounts__other__max_concurrent_calls"] = "2"
    with (
        a_desk(tmp_path_factory.mktemp("accidents"), consignments=CONSIGNMENTS) as desk,
        desk.started("worker", **settings),
        serving(desk) as api,
        Redis.from_url(desk.url, decode_responses=True) as redis,
    ):
        for name in ("default", *SETTINGS):
            _until(lambda name=name: redis.hexists(_state(name), "hosts"))
        _until(lambda: redis.hexists(_state("part"), "open_count"))
        today = int(redis.time()[0]) // 86_400
        redis.hset(_state("usual"), "handed_days", " ".join(f"{today - 5 + day}:10" for day in range(5)))
        yield WaysIn(api)


def _state(account: str) -> str:
    return f"cancellist:account:{account}:state"


def _until(look: Callable[[], Any]) -> Any:
    return soon(look, within_s=WITHIN_S)


def _seen(ways: WaysIn, job: str) -> dict[str, Any]:
    return dict(ways.api.client().get(f"/v1/jobs/{job}").raise_for_status().json())


def _cancelled_by_us(ways: WaysIn, references: Sequence[str]) -> int:
    """How many of them a call has cancelled, by the platform's own record."""
    return sum(row["cancelled_by_call"] is not None for row in ways.api.desk.record(references).values())


def _cancelling_calls(ways: WaysIn) -> int:
    return sum(call["endpoint"] in {"cancel", "cancellist"} for call in ways.api.desk.platform.calls())


def _is_refused(ways: WaysIn, given: Given, answer: Answer, code: str, words: str) -> None:
    """Nothing was handed in, and the guard says which it is."""
    assert (answer.job, answer.code) == ("", code), answer
    assert words in answer.words
    assert _cancelled_by_us(ways, given.references) == 0
    jobs = ways.api.client().get("/v1/jobs", params={"account": given.account}).json()["jobs"]
    assert {job["state"] for job in jobs} <= {"completed", "aborted", "halted", "held"}, "a job was made all the same"


def _halts(ways: WaysIn, given: Given, answer: Answer, *, at_most: int, **why: object) -> dict[str, Any]:
    """The job halts for this reason, when no more was cancelled than the guard allows; returns it as it was aborted."""
    assert answer.job, answer
    seen: dict[str, Any] = _until(lambda: (one := _seen(ways, answer.job))["state"] == "halted" and one)
    assert seen["halted"] | why == seen["halted"]
    sent = _cancelling_calls(ways)
    assert _cancelled_by_us(ways, given.references) <= at_most
    ways.api.client().post(f"/v1/jobs/{answer.job}/abort").raise_for_status()
    ended: dict[str, Any] = ways.api.ended(ways.api.client(), answer.job)
    assert _cancelling_calls(ways) == sent
    assert _cancelled_by_us(ways, given.references) <= at_most
    return ended


def _taken_back(ways: WaysIn, given: Given, job: str, token: str = EVERY) -> None:
    """The job is aborted, and none of it was sent."""
    ways.api.client(token).post(f"/v1/jobs/{job}/abort").raise_for_status()
    assert ways.api.ended(ways.api.client(), job)["outcomes"] == {"aborted": len(given.references)}
    assert _cancelled_by_us(ways, given.references) == 0


def _plan(ways: WaysIn, references: Sequence[str]) -> Any:
    answer = ways.api.client().post("/v1/plans", json=list(references), headers=WAIT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def play_unknown(ways: WaysIn, way: str) -> None:
    given = Given([f"EC-{way[:3].upper()}-ZZZ-{number}" for number in range(100, 112)], "tried")
    _halts(ways, given, ways.by(way, given), at_most=0, among="canary")


def play_cancelled(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(12, "Cancelled"), "tried")
    _halts(ways, given, ways.by(way, given), at_most=0, among="canary", counted="none_cancelled")


def play_stale(ways: WaysIn, way: str) -> None:
    given = Given([*ways.api.desk.fresh(8, "Manifested"), *ways.api.desk.fresh(4)], "limited")
    ended = _halts(ways, given, ways.by(way, given), at_most=0, among="job", counted="refused", found=3)
    assert ended["outcomes"]["manifested"] == 3, "a call was made before what was refused had been read"


def play_new_host(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), "far")
    _is_refused(ways, given, ways.by(way, given), "new_host", NEW_HOST)


def play_other_account(ways: WaysIn, way: str) -> None:
    references = ways.api.desk.fresh(2)
    if way == "retry":
        job = ways.ended_job(Given(references, "other"))
        answer = ways.api.client().post(f"/v1/jobs/{job}/retry", params={"account": "default"})
        problem(answer, "validation")
        return
    given = Given(references, "other", plan=_plan(ways, references)["plan"])
    _is_refused(ways, given, ways.by(way, given), "stale_plan", "it was made for account default")


def play_other_host(ways: WaysIn, way: str) -> None:
    references = ways.api.desk.fresh(2)
    if way == "retry":
        play_new_host(ways, way)
        return

    async def make() -> str:
        content = ReferenceSet()
        content.add(references)
        async with opened_ledger(ways.api.desk.url) as ledger:
            draft = Draft("default", content.digest(), content.count, "other.example.com")
            return (await plans.keep(ledger, draft, {}, keep_s=60)).token

    given = Given(references, plan=asyncio.run(make()))
    _is_refused(ways, given, ways.by(way, given), "stale_plan", "made for the platform at other.example.com")


def play_count(ways: WaysIn, way: str) -> None:
    references = ways.api.desk.fresh(3)
    if way == "facade":
        given = Given(references[1:], plan=_plan(ways, references)["plan"])
        _is_refused(ways, given, ways.by(way, given), "stale_plan", "made of 3 references, and these are 2")
    elif way == "retry":
        play_blind(ways, way)
    else:
        given = Given(references, expect_count="4")
        _is_refused(ways, given, ways.by(way, given), "count_mismatch", "4 references were expected, and there are 3")


def _awaits_approval(ways: WaysIn, way: str, given: Given, words: str) -> dict[str, Any]:
    answer = ways.by(way, given)
    assert answer.job, answer
    seen = _seen(ways, answer.job)
    assert (seen["state"], seen["approval"]["state"]) == ("held", "waiting")
    assert words in seen["approval"]["why"], seen["approval"]
    return seen


def _body(seen: dict[str, Any]) -> dict[str, Any]:
    return {"count": seen["approval"]["count"], "digest": seen["approval"]["digest"]}


def _reject(ways: WaysIn, given: Given, job: str) -> None:
    seen = _seen(ways, job)
    assert (seen["state"], seen["approval"]["given"]) == ("held", [])
    ways.api.client(APPROVER).post(f"/v1/jobs/{job}/reject", json={"reason": "not understood"}).raise_for_status()
    assert ways.api.ended(ways.api.client(), job)["outcomes"] == {"aborted": len(given.references)}
    assert _cancelled_by_us(ways, given.references) == 0


def play_own(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), "approved")
    seen = _awaits_approval(ways, way, given, "above 0 another person must approve it")
    nobody = way in {"command", "stream"}
    assert seen["submitted_by"] == (None if nobody else "every")
    who = OF_ROLE[Access.OPERATE] if nobody else EVERY
    problem(ways.api.client(who).post(f"/v1/jobs/{seen['job']}/approve", json=_body(seen)), "forbidden")
    _reject(ways, given, seen["job"])


def play_blind(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), "approved")
    seen = _awaits_approval(ways, way, given, "above 0 another person must approve it")
    for wrong in ({"count": 3}, {"digest": "0" * 32}):
        answer = ways.api.client(APPROVER).post(f"/v1/jobs/{seen['job']}/approve", json=_body(seen) | wrong)
        problem(answer, "approval_mismatch")
    _reject(ways, given, seen["job"])


def _ends_once(ways: WaysIn, given: Given, first: Answer) -> None:
    assert first.job, first
    assert ways.api.ended(ways.api.client(), first.job)["outcomes"] == {"cancelled": len(given.references)}


def play_twice(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), key=f"twice-{way}")
    if way == "retry":
        job = ways.ended_job(given)
        first, again = ways.retry_of(job), ways.retry_of(job)
    else:
        first, again = ways.by(way, given), ways.by(way, given)
    assert again == first
    _ends_once(ways, given, first)
    assert _cancelled_by_us(ways, given.references) == 2


def play_planned_twice(ways: WaysIn, way: str) -> None:
    if way == "retry":
        play_twice(ways, way)
        return
    references = ways.api.desk.fresh(2)
    given = Given(references, plan=_plan(ways, references)["plan"])
    first = ways.by(way, given)
    _ends_once(ways, given, first)
    again = ways.by(way, given)
    assert (again.job, again.code) == ("", "stale_plan"), again
    assert f"used before, by job {first.job}" in again.words
    overlap = _plan(ways, references)["overlap"]
    assert [one["job"] for one in overlap["jobs"]] == [first.job]


def play_many(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(3), "sized")
    _is_refused(ways, given, ways.by(way, given), "guard_refused", "it names 3 references, and a job may name 2")


def play_day(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(3), "daily")
    _is_refused(ways, given, ways.by(way, given), "guard_refused", "within 24 hours, and 2 may be")


def play_share(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(LARGE), "part")
    words = f"its {LARGE} references are more than 1 % of all"
    _is_refused(ways, given, ways.by(way, given), "guard_refused", words)


def play_unusual(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(LARGE), "usual")
    _reject(ways, given, _awaits_approval(ways, way, given, "of a usual day")["job"])


def play_stop(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), "other")
    client = ways.api.client()
    client.post("/v1/stop", params={"reason": "the wrong list"}).raise_for_status()
    try:
        answer = ways.by(way, given)
        seen = _seen(ways, answer.job)
        assert (seen["all_stopped"]["why"], seen["pending"], seen["in_flight"]) == ("the wrong list", 2, 0)
        _taken_back(ways, given, answer.job)
    finally:
        client.delete("/v1/stop").raise_for_status()


def play_hold(ways: WaysIn, way: str) -> None:
    given = Given(ways.api.desk.fresh(2), "held")
    answer = ways.by(way, given)
    seen = _seen(ways, answer.job)
    assert (seen["state"], seen["pending"]) == ("held", 2)
    _taken_back(ways, given, answer.job)


PLAYED = {
    getattr(accidents, name.removeprefix("play_").upper()): play
    for name, play in list(globals().items())
    if name.startswith("play_")
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.what)
def test_an_accident_is_stopped_by_its_guard(ways: WaysIn, accident: accidents.Accident, way: str) -> None:
    PLAYED[accident](ways, way)


def test_the_page_has_the_accidents_that_are_played_and_no_others() -> None:
    assert rows_of_page() == [HEAD, *(accident.cells for accident in ACCIDENTS)]
    assert set(PLAYED) == set(ACCIDENTS)
