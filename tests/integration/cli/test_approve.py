"""Guards on the command line, and the second person: who one is, what is shown, and the count that is typed."""

import pytest

from cancellist.jobs.access import Access, Token, digest_of
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

ANNA, BO, CARL = "token-of-anna", "token-of-bo", "token-of-carl"
ROLES = {
    "anna": (ANNA, {Access.SUBMIT, Access.APPROVE}),
    "bo": (BO, {Access.APPROVE}),
    "carl": (CARL, {Access.SUBMIT, Access.OPERATE}),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("approve")) as desk:
        tokens = [Token(name, frozenset(roles), digest_of(token)).setting for name, (token, roles) in ROLES.items()]
        desk.settings |= {"api_tokens": ",".join(tokens)}
        yield desk


def held(desk: Desk, *options: str, **settings: str) -> str:
    settings = {"token": ANNA, "approve_above": "2"} | settings
    return desk.ok("enqueue", "-", *options, text="\n".join(desk.fresh(3)), **settings).out.strip()


def test_a_job_above_a_most_is_refused_with_a_status_of_its_own(desk: Desk):
    before, text = len(desk.jobs()), "\n".join(desk.fresh(1_500))
    done = desk.run("enqueue", "-", text=text, guard_max_references="1000")
    assert done.status == 5
    assert "refuses the job: it names 1,500 references, and a job may name 1,000" in done.err
    assert len(desk.jobs()) == before
    done = desk.run("enqueue", "-", "--json", text=text, guard_max_references="1000")
    assert '"code": "guard_refused"' in done.err


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "--override needs to know who you are; set CANCELLIST_TOKEN"),
        (CARL, "carl lacks the role approve, which --override needs"),
        ("token-of-nobody", "CANCELLIST_TOKEN is none of the tokens in CANCELLIST_API_TOKENS"),
    ],
)
def test_only_who_may_approve_overrides(desk: Desk, token, told):
    text = "\n".join(desk.fresh(3))
    done = desk.run("enqueue", "-", "--override", "recall", text=text, guard_max_references="2", token=token)
    assert (done.status, told in done.err) == (1, True)
    assert "token-of" not in done.err


def test_an_unknown_token_is_an_error_even_where_none_is_needed(desk: Desk):
    done = desk.run("enqueue", "-", text=desk.fresh(1)[0], token="token-of-nobody")
    assert (done.status, "is none of the tokens" in done.err) == (1, True)


def test_an_override_shows_in_the_status_of_the_job(desk: Desk):
    done = desk.ok("enqueue", "-", "--override", "recall", text="\n".join(desk.fresh(3)), guard_max_references="2",
                   token=ANNA)  # fmt: skip
    job = done.out.strip()
    assert "anna: recall (it names 3 references, and a job may name 2)" in desk.ok("status", job).out
    desk.drain()


def test_what_is_approved_is_shown_and_its_count_is_typed(desk: Desk):
    job = held(desk, "--reason", "recall 1147", "--requested-by", "j.doe")
    assert "waits for approval, 0 of 1 given" in desk.ok("status", job).out
    assert "waits for approval, 0 of 1 given" in desk.ok("jobs", "--state", "held").out
    wrong = desk.typed("approve", job, keys="4\n", after="Type the number", token=BO)
    assert (wrong.status, "nothing was approved" in wrong.out) == (1, True), wrong
    left = desk.typed("approve", job, keys="no\n", after="Type the number", token=BO)
    assert (left.status, f"job {job} waits as before" in left.out) == (1, True), left
    done = desk.typed("approve", job, keys="3\n", after="Type the number", token=BO)
    assert done.status == 0, done
    host = desk.settings["api_url"].partition("://")[2]
    for said in (
        f"would cancel 3 references on sandbox {host}, account default", "such as: EC-", "above 2 another person",
        "reason: recall 1147", "asked for by: j.doe", "handed in by: anna", "bo has approved",
    ):  # fmt: skip
        assert said in done.out, done.out
    desk.drain()
    assert desk.ok("status", job, "--json").document["outcomes"] == {"cancelled": 3}


def test_a_script_gives_the_count_and_nobody_approves_their_own(desk: Desk):
    job = held(desk)
    assert desk.run("approve", job, token=BO).status == 2
    for token, told in ((ANNA, "anna handed job"), (CARL, "lacks the role"), ("", "who you are")):
        done = desk.run("approve", job, "--count", "3", token=token)
        assert (done.status, told in done.err) == (1, True), done
    assert desk.ok("approve", job, "--count", "3", token=BO).out == "queued\n"
    assert desk.ok("approve", job, "--take-back", token=BO).out == "held\n"
    done = desk.ok("reject", job, "--reason", "wrong file", "--json", token=BO)
    assert (done.document["state"], done.document["approval"]["rejected"]["reason"]) == ("aborted", "wrong file")
    assert "rejected by bo: wrong file" in desk.ok("results", job, "--format", "jsonl").out
    again = desk.ok("retry", job, "--yes", token=BO, approve_above="2").out.strip()
    assert desk.run("approve", again, "--count", "3", token=BO).status == 1
    refused = desk.run("retry", job, "--yes", "--json", guard_max_references="2", token=BO)
    assert refused.document["job"] == again  # it was made before, and is not judged again


def test_who_resumes_a_job_that_still_waits_is_told_for_what(desk: Desk):
    job = held(desk)
    desk.ok("pause", job)
    done = desk.ok("resume", job)
    assert done.out == "held\n"
    assert "waits for approval, 0 of 1 given" in done.err
    assert f"`cancellist approve {job}` shows what it would do and asks" in done.err
    desk.ok("reject", job, "--reason", "done", token=BO)
    job = desk.ok("enqueue", "-", "--hold", "1h", text=desk.fresh(1)[0]).out.strip()
    desk.ok("pause", job)
    done = desk.ok("resume", job)
    assert done.out == "held\n"
    assert f"starts by itself; until then `cancellist abort {job}` takes it back" in done.err
    desk.ok("abort", job, "--yes")


def test_a_job_that_waits_is_told_of_as_it_is_handed_in(desk: Desk):
    done = desk.ok("enqueue", "-", text="\n".join(desk.fresh(3)), approve_above="2", token=ANNA)
    assert "waits for approval, 0 of 1 given" in done.err
    assert "above 2 another person must approve it" in done.err
