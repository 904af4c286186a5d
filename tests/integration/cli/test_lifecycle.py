"""Jobs that are changed, handed in again, and found by what they are, from the command line."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("lifecycle")) as desk:
        yield desk


def handed_in(desk: Desk, count: int = 2, *options: str) -> str:
    """A job that waits."""
    references = "\n".join(desk.fresh(count))
    return desk.ok("enqueue", "-", "--start-at", "+1h", *options, text=references).out.strip()


def of(desk: Desk, job: str):
    return desk.ok("status", job, "--json").document


@pytest.fixture
def aborted(desk: Desk) -> str:
    job = handed_in(desk, 3, "--reason", "strike", "--requested-by", "shop", "--priority", "bulk")
    desk.ok("abort", "--yes", job)
    return job


# update


def test_priority_and_deadline_are_changed(desk: Desk):
    job = handed_in(desk)
    done = desk.ok("update", job.upper(), "--priority", "urgent", "--deadline", "+5h")
    assert done.out == "held\n"
    assert f"job {job} has the priority urgent; its deadline is " in done.err
    changed = of(desk, job)
    assert changed["priority"] == "urgent"
    assert changed["deadline"] > changed["start_at"]
    done = desk.ok("update", job, "--no-deadline", "--json")
    assert (done.document["priority"], done.document["deadline"]) == ("urgent", None)
    assert "it has no deadline" in done.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give --priority, --deadline or --no-deadline"),
        (("--deadline", "+2h", "--no-deadline"), "not both"),
        (("--deadline", "2h"), "begins with +"),
        (("--deadline", "2999-01-01T00:00:00"), "has no offset"),
        (("--priority", "high"), "urgent"),
    ],
)
def test_what_is_no_change_is_wrong_usage(desk: Desk, options: tuple[str, ...], says: str):
    done = desk.run("update", "6w4h0v2m1x3q", *options)
    assert (done.status, done.out, says in done.err) == (2, "", True), done


def test_what_cannot_be_changed_says_why(desk: Desk, aborted: str):
    done = desk.run("update", aborted, "--priority", "urgent")
    assert (done.status, done.err) == (1, f"cancellist: job {aborted} is aborted and cannot be changed\n")
    done = desk.run("update", handed_in(desk), "--deadline", "+30m")
    assert (done.status, "give an earlier --start-at or a later --deadline" in done.err) == (1, True), done


# retry


def test_an_ended_job_is_retried_once_and_waited_for(desk: Desk, aborted: str):
    with desk.started("worker"):
        done = desk.ok("retry", aborted, "--yes", "--wait", "--json", "--priority", "urgent")
    new = done.document
    assert (new["state"], new["outcomes"], new["total"]) == ("completed", {"cancelled": 3}, 3)
    assert (new["retry_of"], new["reason"], new["requested_by"]) == (aborted, "strike", "shop")
    assert of(desk, aborted)["retried_by"] == [new["job"]]
    again = desk.ok("retry", aborted)  # nothing is handed in, so nothing is asked
    assert again.out == f"{new['job']}\n"
    assert f"handed in before as a retry of job {aborted}: no new job was created" in again.err
    other = desk.run("retry", aborted, "--reason", "other", "--json")
    assert (other.status, other.out) == (1, "")
    assert f"retried before as job {new['job']}, with another reason" in other.err
    assert '"code": "retried_before"' in other.err


def test_it_asks_first_and_a_no_hands_in_nothing(desk: Desk, aborted: str):
    done = desk.typed("retry", aborted, keys="n\n", after="[y/N]", columns=200)
    assert f"Cancel 3 references of job {aborted} (3 aborted) by a new job? [y/N]" in done.out
    assert (done.status, f"nothing was handed in: job {aborted} was not retried" in done.out) == (1, True)
    assert of(desk, aborted)["retried_by"] == []
    done = desk.run("retry", aborted, "--start-at", "+1h", text="y\n")
    assert of(desk, done.out.strip())["state"] == "held"


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--outcome", "cancelled"), 1, "cancelled cannot be retried: nothing is left to cancel"),
        (("--outcome", "failed,manifested"), 1, "manifested cannot be retried"),
        (("--outcome", "failed"), 1, "is failed: there is nothing to retry"),
        (("--outcome", "lost"), 2, "is not an outcome"),
        (("--deadline", "2020-01-01T00:00:00Z"), 1, "is past: give a later --deadline"),
    ],
)
def test_what_cannot_be_retried_says_why_and_makes_nothing(
    desk: Desk, aborted: str, options: tuple[str, ...], status: int, says: str
):
    before = len(desk.jobs())
    done = desk.run("retry", aborted, "--yes", *options)
    assert (done.status, done.out, says in done.err) == (status, "", True), done
    assert len(desk.jobs()) == before


def test_a_job_that_goes_on_is_not_retried(desk: Desk):
    done = desk.run("retry", handed_in(desk), "--yes")
    assert (done.status, "is held and cannot be retried; wait until it has ended" in done.err) == (1, True), done


# jobs


def test_jobs_are_listed_by_what_they_are(desk: Desk, aborted: str):
    held = handed_in(desk, 1, "--requested-by", "lister")

    def listed(*options: str) -> list[str]:
        return [job["job"] for job in desk.ok("jobs", "--json", "--limit", "1000", *options).document["jobs"]]

    everything = listed()
    assert {held, aborted} <= set(everything)
    assert listed("--requested-by", "lister") == [held]
    assert aborted in listed("--state", "aborted,completed")
    assert held not in listed("--state", "aborted", "--state", "completed")
    assert held in listed("--state", "Held", "--account", "default", "--since", "-1h")
    assert listed("--account", "nobody") == []
    assert listed("--since", "1h") == listed("--since", "-60m") == everything
    made_at = of(desk, held)["created_at"]
    assert listed("--since", made_at)[-1] == held
    assert listed("--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert "there is no such job" in desk.ok("jobs", "--account", "nobody").err


@pytest.mark.parametrize(
    ("option", "given", "says"),
    [
        ("--state", "gone", "is not a state; give one of held, queued"),
        ("--state", "sealing", "is not a state"),
        ("--state", ",", "it names no state"),
        ("--since", "+2h", "lies ahead"),
        ("--since", "2", "has no unit"),
        ("--since", "2026-01-01", "has no offset"),
        ("--since", "yesterday", "is not a time"),
        ("--account", " ", "it is empty"),
    ],
)
def test_what_no_job_can_be_is_wrong_usage(desk: Desk, option: str, given: str, says: str):
    done = desk.run("jobs", option, given)
    assert (done.status, done.out, says in done.err) == (2, "", True), done
