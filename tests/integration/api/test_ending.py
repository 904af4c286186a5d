"""How `serve` begins and ends: tokens, addresses, TLS, and requests that are under way."""

import json
import signal
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest

from cancellist.jobs.access import digest_of, parse_token
from tests.support.api import EVERY, WITHIN_S, Api, problem, serving
from tests.support.chatty import certified
from tests.support.slow_upload import upload

NONE = {"api_tokens": ""}


def test_without_tokens_it_makes_one_of_its_own_for_this_machine(api: Api, tmp_path: Path) -> None:
    with serving(api.desk, log=tmp_path / "log", **NONE) as running:
        deadline = time.monotonic() + WITHIN_S
        while "/?token=" not in (said := running.log.read_text()) or "serving" not in said:
            assert time.monotonic() < deadline, said
        address = next(word for word in said.split() if "/?token=" in word)
        assert address.startswith(running.url)
        token = address.partition("/?token=")[2]
        assert running.client(token).get("/v1/jobs").status_code == 200
        assert running.client(None).get(f"/?token={token}").headers["location"] == "/"
        assert running.client(None).get("/v1/jobs").status_code == 401
    assert running.log.read_text().count(token) == 1, "it is told once, and logged never"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_elsewhere_it_does_not_start_without_tokens(api: Api, host: str) -> None:
    done = api.desk.run("serve", "--host", host, "--port", 0, **NONE)
    assert (done.status, done.out) == (1, "")
    assert "CANCELLIST_API_TOKENS is not set" in done.err
    assert "cancellist token" in done.err


def test_a_token_that_was_made_is_one_and_its_line_holds_no_secret(api: Api, tmp_path: Path) -> None:
    made = api.desk.ok("token", "up.stream", "--role", "submit", "--role", "read", "--json").document
    assert (made["name"], made["roles"]) == ("up.stream", ["read", "submit"])
    assert parse_token(made["setting"]).digest == digest_of(made["token"])
    assert made["token"] not in made["setting"]
    with serving(api.desk, log=tmp_path / "log", api_tokens=made["setting"]) as running:
        client = running.client(made["token"])
        assert client.get("/v1/jobs").status_code == 200
        assert client.post("/v1/accounts/default/pause").status_code == 403
    plain = api.desk.ok("token", "x", "--role", "read")
    assert plain.out.count("\n") == 1
    assert plain.out.strip() not in plain.err
    assert f"x:read:{digest_of(plain.out.strip())}" in plain.err


@pytest.mark.parametrize(
    "wrong",
    [
        "s3cret",
        "a:b:c",
        "name:read:s3cret",
        "name:fly:" + 64 * "0",
        "a b:read:" + 64 * "0",
        f"n:read:{64 * '0'}:s3cret",
    ],
)
def test_a_token_in_the_settings_that_is_none_is_refused_and_not_repeated(api: Api, wrong: str) -> None:
    done = api.desk.run("serve", "--port", 0, api_tokens=wrong)
    assert done.status == 1
    assert "CANCELLIST_API_TOKENS" in done.err
    assert "s3cret" not in done.err


def test_an_address_that_is_taken_is_one_line(api: Api) -> None:
    done = api.desk.run("serve", "--port", api.url.rpartition(":")[2], "--json", api_tokens=f"a:read:{64 * '0'}")
    assert done.status == 1
    error = json.loads(done.err.splitlines()[-1])["error"]
    assert error["code"] == "cannot_listen"


def test_it_speaks_tls_itself(api: Api, tmp_path: Path) -> None:
    _, trusting = certified(tmp_path)
    files = ("--tls-cert", str(tmp_path / "shown.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with serving(api.desk, *files, log=tmp_path / "log") as running:
        assert running.url.startswith("https://")
        running.tls = trusting
        assert running.client(verify=trusting).get("/v1/jobs").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.url, verify=ssl.create_default_context(), trust_env=False)


def test_files_of_tls_that_cannot_be_used_are_one_line(api: Api, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for path in (tmp_path / "no.pem", tmp_path / "none.pem"):
        done = api.desk.run("serve", "--port", 0, "--tls-cert", path, "--tls-key", path)
        assert done.status == 1
        assert "--tls-cert" in done.err
        assert "Traceback" not in done.err
    assert api.desk.run("serve", "--tls-cert", "x").status == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_finishes_what_is_under_way(api: Api, tmp_path: Path, number: int) -> None:
    references = api.desk.fresh(4)
    with serving(api.desk, log=tmp_path / "log") as running:
        waiting = running.client()
        waiting.get("/healthz")
        answers: list[httpx.Response] = []
        held = {"references": api.desk.fresh(1), "start_at": "+9h"}
        thread = threading.Thread(
            target=lambda: answers.append(waiting.post("/v1/jobs", json=held, headers={"Prefer": "wait=60"}))
        )
        thread.start()
        with upload(running) as one:
            one.send("\n".join(references[:2]).encode())
            while not running.client().get("/v1/jobs", params={"state": "held"}).json()["jobs"]:
                pass
            running.process.send_signal(number)
            thread.join(WITHIN_S)
            assert (answers[0].status_code, answers[0].json()["state"]) == (202, "held"), (
                "who waits is answered at once"
            )
            one.send("\n".join(["", *references[2:]]).encode())
            one.end()
            answer = one.answer()
            assert (answer.status_code, answer.json()["total"]) == (202, 4)
        assert running.process.wait(WITHIN_S) == 0
    assert api.ended(api.client(), answer.json()["job"])["outcomes"] == {"cancelled": 4}
    assert '"event": "served"' in running.log.read_text()
    assert EVERY not in running.log.read_text()


def is_open(api: Api) -> bool:
    """Whether it takes connections."""
    try:
        httpx.get(f"{api.url}/healthz", trust_env=False)
    except httpx.TransportError:
        return False
    return True


def test_told_twice_it_ends_at_once_and_leaves_no_half_job(api: Api, tmp_path: Path) -> None:
    before = {job.id for job in api.desk.jobs()}
    with serving(api.desk, log=tmp_path / "log") as running, upload(running, Idempotency_Key="ended") as one:
        one.send(b"EC-000-05D-1NS\n")
        running.process.send_signal(signal.SIGTERM)
        while is_open(running):
            pass
        running.process.send_signal(signal.SIGTERM)
        problem(one.answer(), "ending")
        assert running.process.wait(WITHIN_S) == 0
    assert {job.id for job in api.desk.jobs()} == before
    assert "Traceback" not in running.log.read_text()
