# Made by scripts/generate_sync.py from _async/test_following.py: change that one, and run the script.

"""A wait follows events, takes them up again where they are cut, and asks from time to time where there are none."""

import json
import time

import pytest

from cancellist_client import ApiError, Client, JobHalted, JobState, JobTimeout, ResultsGone
from cancellist_client._sync.job import Job

EVENTS = {"Content-Type": "text/event-stream"}


def document(state: str, **more) -> dict:
    return {"job": "0abc", "state": state, "total": 2, "pending": 0, "in_flight": 0, "outcomes": {}, **more}


def event(name: str, **fields) -> bytes:
    return f"event: {name}\nid: e-1\ndata: {json.dumps(fields)}\n\n".encode()


def job_of(client: Client) -> Job:
    return Job(client._transport, "0abc", entry=None, status=None)


def paths(scripted) -> list[str]:
    return [asked.path for asked in scripted.asked]


def test_a_wait_follows_events(client: Client, scripted, answer) -> None:
    blocks = (
        event("snapshot", **document("running")),
        b": alive\n\n",
        event("change", job="0abc", outcomes={"cancelled": 1}),
        event("end", **document("completed", outcomes={"cancelled": 2})),
    )
    scripted.answers = [answer(200, headers=EVENTS, blocks=blocks)]
    job = job_of(client).wait(10)
    assert job.state is JobState.COMPLETED
    assert job.status.outcomes == {"cancelled": 2}
    assert paths(scripted) == ["/v1/jobs/0abc/events"]


HALT = {"why": "3 of 4 results are refused, more than the limit of 2"}


def test_a_wait_ends_where_the_job_halts_and_goes_on_once_it_was_continued(client: Client, scripted, answer) -> None:
    begun = event("snapshot", **document("running", halted=None))
    halts = event("change", job="0abc", state="halted", halted=HALT)
    ended = event("end", **document("completed", halted=None))
    scripted.answers = [
        answer(200, headers=EVENTS, blocks=(begun, halts)),
        answer(200, document("running", halted=None)),
        answer(200, headers=EVENTS, blocks=(begun, ended)),
    ]
    job = job_of(client)
    with pytest.raises(JobHalted, match="halted: 3 of 4 results are refused") as raised:
        job.wait(10)
    assert raised.value.job is job
    assert job.state is JobState.HALTED
    assert (job.wait(10)).state is JobState.COMPLETED


def test_a_wait_that_asks_ends_where_the_job_halts(client: Client, scripted, answer) -> None:
    halted = answer(200, document("halted", halted=HALT))
    scripted.answers = [answer(404, {"type": "/problems/not_found"}), halted]
    with pytest.raises(JobHalted):
        job_of(client).wait(10)


def test_deltas_are_laid_over_the_document(client: Client, scripted, answer) -> None:
    blocks = (
        event("snapshot", **document("running", reason="strike")),
        event("change", job="0abc", state="completed", outcomes={"cancelled": 2}),
    )
    scripted.answers = [answer(200, headers=EVENTS, blocks=blocks)]
    job = job_of(client).wait(10)
    assert (job.state, job.status.reason) == ("completed", "strike")


def test_events_that_were_cut_are_taken_up_again(client: Client, scripted, answer) -> None:
    begun = event("snapshot", **document("running"))
    ended = event("end", **document("aborted"))
    scripted.answers = [
        *[answer(200, headers=EVENTS, blocks=(begun[:cut], begun[cut:], begun[:cut])) for cut in (3, 40, 70)],
        answer(200, headers=EVENTS, blocks=(begun, ended)),
    ]
    assert (job_of(client).wait(10)).state is JobState.ABORTED
    assert paths(scripted) == ["/v1/jobs/0abc/events"] * 4


@pytest.mark.parametrize("status", [404, 405, 406, 501, 200, None, 503, 429])
def test_without_events_it_asks_from_time_to_time(client: Client, scripted, answer, status) -> None:
    scripted.answers = [
        answer(status, {}),
        answer(200, document("running")),
        answer(200, document("running")),
        answer(200, document("completed")),
    ]
    assert (job_of(client).wait(20)).state is JobState.COMPLETED
    assert paths(scripted) == ["/v1/jobs/0abc/events", *["/v1/jobs/0abc"] * 3]


def test_a_server_that_is_away_is_waited_for(client: Client, scripted, answer) -> None:
    scripted.answers = [answer(None), answer(None), answer(503), answer(429), answer(200, document("completed"))]
    assert (job_of(client).wait(20)).state is JobState.COMPLETED


def test_a_refusal_ends_the_wait(client: Client, scripted, answer) -> None:
    scripted.answers = [answer(404), answer(404)]
    with pytest.raises(ApiError):
        job_of(client).wait(20)


@pytest.mark.timed
def test_a_stream_that_falls_silent_does_not_prolong_the_wait(client: Client, scripted, answer) -> None:
    begun = event("snapshot", **document("running"))
    scripted.otherwise = lambda asked: (
        answer(200, headers=EVENTS, blocks=(begun,), read=0)
        if asked.path.endswith("events")
        else answer(200, document("running"))
    )
    began = time.monotonic()
    job = job_of(client)
    with pytest.raises(JobTimeout) as caught:
        job.wait(2)
    assert 2 <= time.monotonic() - began < 3
    assert caught.value.job is job
    assert "running after 2 seconds" in str(caught.value)


def row(number: int) -> dict:
    return {
        "job": "0abc", "reference": f"EC-{number}", "outcome": "cancelled", "message": None, "status": 200,
        "state": None, "attempts": 1, "at": "2026-11-29T01:02:03.004Z",
    }  # fmt: skip


def page(numbers: range, following: str | None, gone: int = 0) -> dict:
    return {"results": [row(n) for n in numbers], "next": following, "complete": following is None, "gone": gone}


def test_pages_that_were_cut_are_asked_for_again(client: Client, scripted, answer) -> None:
    scripted.answers = [
        answer(200, page(range(3), "c1")),
        answer(None),
        answer(503),
        answer(200, page(range(3, 5), "c2")),
        answer(None),
        answer(200, page(range(5, 5), None)),
    ]
    found = [result for result in job_of(client).results(["cancelled", "failed"])]
    assert [result.reference for result in found] == [f"EC-{n}" for n in range(5)]
    assert [asked.query.get("cursor") for asked in scripted.asked] == [None, "c1", "c1", "c1", "c2", "c2"]
    assert {asked.query["outcome"] for asked in scripted.asked} == {"cancelled,failed"}
    assert found[0].at.isoformat() == "2026-11-29T01:02:03.004000+00:00"


def test_results_of_a_job_that_goes_on_end_with_those_there_are(client: Client, scripted, answer) -> None:
    scripted.answers = [answer(200, page(range(2), "c1")), answer(200, page(range(0), "c1"))]
    assert len([result for result in job_of(client).results()]) == 2


def test_results_that_are_gone_are_told_of_after_the_others(client: Client, scripted, answer) -> None:
    scripted.answers = [answer(200, page(range(2), "c1", gone=7)), answer(200, page(range(2, 4), None, gone=7))]
    found = []
    with pytest.raises(ResultsGone, match="7 results"):  # noqa: PT012 - the others come before
        for result in job_of(client).results():
            found.append(result.reference)  # noqa: PERF401 - it raises
    assert found == [f"EC-{n}" for n in range(4)]


def test_all_pages_of_jobs_are_listed(client: Client, scripted, answer) -> None:
    scripted.answers = [
        answer(200, {"jobs": [document("running")], "next": "c1"}),
        answer(200, {"jobs": [document("a_new_state")], "next": None}),
    ]
    found = [job for job in client.jobs(state="running", since="2026-11-29T01:02:03Z")]
    assert [job.state for job in found] == ["running", "a_new_state"]
    assert scripted.asked[1].query == {"state": "running", "since": "2026-11-29T01:02:03Z", "cursor": "c1"}


def test_names_are_quoted(client: Client, scripted, answer) -> None:
    scripted.otherwise = lambda _: answer(404)
    for name in ("a/b", "../accounts", "a?b#c"):
        with pytest.raises(ApiError):
            client.job(name)
    assert [asked.path for asked in scripted.asked] == [
        "/v1/jobs/a%2Fb", "/v1/jobs/..%2Faccounts", "/v1/jobs/a%3Fb%23c",
    ]  # fmt: skip
