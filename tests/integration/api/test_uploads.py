"""A job is there once its body has ended well, and not before; its idempotency key names it, or nothing."""

import time
from pathlib import Path

import httpx
import pytest

from cancellist.jobs.ledger.submitting.uploads import KEEP_S
from cancellist.jobs.model import JobRecord
from tests.support.api import WITHIN_S, Api, problem, serving
from tests.support.slow_upload import upload

TEXT = {"Content-Type": "text/plain"}
MANY = 25_000
"""References, so many that some are sent to the ledger before the body has ended."""


def lines(references: list[str]) -> bytes:
    return "".join(f"{one}\n" for one in references).encode()


def begun(api: Api) -> list[JobRecord]:
    """Submissions that are not whole."""
    return [job for job in api.desk.jobs() if job.state == "sealing"]


def wait_for(holds, what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def made_up(count: int, kind: str) -> list[str]:
    """References that the platform need not know: nobody is to come to them."""
    return [f"EC-{kind}-{n // 1000:03}-{n % 1000:03}" for n in range(count)]


def test_nothing_can_be_seen_of_a_job_whose_body_has_not_ended(api: Api, client: httpx.Client) -> None:
    seen = [job["job"] for job in client.get("/v1/jobs").json()["jobs"]]
    with upload(api, query="?start_at=%2B1h") as one:
        one.send(lines(made_up(MANY, "AAA")))
        wait_for(lambda: begun(api), "the first part is in the ledger")
        assert [job["job"] for job in client.get("/v1/jobs").json()["jobs"]] == seen
        one.end()
        answer = one.answer()
    assert (answer.status_code, answer.json()["total"]) == (202, MANY)
    assert client.get("/v1/jobs").json()["jobs"][0]["job"] == answer.json()["job"]


@pytest.mark.timed
def test_a_body_that_is_cut_leaves_no_job_and_its_key_is_free(api: Api, client: httpx.Client) -> None:
    references = made_up(MANY, "AAB")
    before = {job.id for job in api.desk.jobs()}
    with upload(api, Idempotency_Key="cut") as one:
        one.send(lines(references))
        wait_for(lambda: begun(api), "the first part is in the ledger")
        one.cut()
    wait_for(lambda: {job.id for job in api.desk.jobs()} == before, "nothing of it is left")
    headers = TEXT | {"Idempotency-Key": "cut"}
    began_at = time.monotonic()
    answer = client.post("/v1/jobs?start_at=%2B1h", content=lines(references), headers=headers)
    while answer.status_code == 409:
        answer = client.post("/v1/jobs?start_at=%2B1h", content=lines(references), headers=headers)
    assert time.monotonic() - began_at < KEEP_S / 2, "it is free at once, not when the lease has lapsed"
    assert (answer.status_code, answer.json()["total"]) == (202, MANY)


def test_while_a_body_is_on_its_way_its_key_is_taken_whichever_process_is_asked(
    api: Api, client: httpx.Client, tmp_path: Path
) -> None:
    references = api.desk.fresh(30)
    headers = TEXT | {"Idempotency-Key": "busy"}
    with serving(api.desk, log=tmp_path / "log") as other:
        with upload(api, Idempotency_Key="busy") as one:
            one.send(lines(references[:20]))
            wait_for(
                lambda: other.client().post("/v1/jobs", content=lines(references), headers=headers).status_code == 409,
                "the other process knows of it",
            )
            for asked in (client, other.client()):
                problem(asked.post("/v1/jobs", content=lines(references), headers=headers), "idempotency_in_progress")
            one.send(lines(references[20:]))
            one.end()
            first = one.answer()
        assert first.status_code == 202, first.text
        assert "idempotent-replayed" not in first.headers
        for asked in (client, other.client()):
            again = asked.post("/v1/jobs", content=lines(references), headers=headers)
            assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
            assert again.json()["job"] == first.json()["job"]
            problem(asked.post("/v1/jobs", content=lines(references[1:]), headers=headers), "idempotency_conflict")


def test_a_slow_client_keeps_its_key_for_as_long_as_bytes_come(api: Api, client: httpx.Client) -> None:
    references = api.desk.fresh(3)
    body = lines(references)
    headers = TEXT | {"Idempotency-Key": "slow"}
    with upload(api, Idempotency_Key="slow") as one:
        began_at = time.monotonic()
        for at in range(len(body)):
            one.send(body[at : at + 1])
            time.sleep(0.3)  # a client that is slow is what this is about
            if time.monotonic() - began_at > 1:
                problem(client.post("/v1/jobs", content=body, headers=headers), "idempotency_in_progress")
        assert time.monotonic() - began_at > KEEP_S
        one.end()
        assert one.answer().json()["total"] == 3


def test_a_process_that_is_killed_in_the_middle_of_a_body_leaves_no_half_job(api: Api, tmp_path: Path) -> None:
    references = made_up(MANY, "AAC")
    with serving(api.desk, log=tmp_path / "log") as dying, upload(dying, Idempotency_Key="killed") as one:
        one.send(lines(references))
        wait_for(lambda: begun(api), "the first part is in the ledger")
        dying.process.kill()
        dying.process.wait(WITHIN_S)
    client, headers = api.client(), TEXT | {"Idempotency-Key": "killed"}
    shown = client.get("/v1/jobs", params={"limit": 500}).json()["jobs"]
    assert "sealing" not in {job["state"] for job in shown}
    answers = []

    def tried() -> bool:
        answers.append(client.post("/v1/jobs?start_at=%2B1h", content=lines(references), headers=headers))
        return answers[-1].status_code == 202

    wait_for(tried, "the key is free once its lease has lapsed")
    assert answers[-1].json()["total"] == MANY
    assert "idempotent-replayed" not in answers[-1].headers
    for answer in answers[:-1]:
        problem(answer, "idempotency_in_progress")
