"""What a program meets in use: Ctrl-C, threads, and TLS that does not fit."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cancellist_client import Client, TransportError
from tests.support.api import EVERY, Api, serving
from tests.support.chatty import certified
from tests.support.commands import desk
from tests.support.cutting_proxy import CuttingProxy
from tests.support.stage import wait_for

pytestmark = pytest.mark.acceptance

WITHIN_S = 30
WAIT = """
import sys
from cancellist_client import Client
with Client(sys.argv[1], token=sys.argv[2]) as client:
    client.job(sys.argv[3]).wait()
"""
CONSUME = """
import sys
from cancellist_client import Client
with Client(sys.argv[1]) as client:
    for result in client.consume("billing", consumer=sys.argv[3]):
        print(result.reference)
"""


def async_twin(program: str) -> str:
    """The same program with the asynchronous client."""
    lines = program.replace("import Client", "import AsyncClient").splitlines()
    body = "\n".join(f"    {line}" for line in lines[3:])
    body = body.replace("with Client", "async with AsyncClient").replace("for result", "async for result")
    body = body.replace("client.job(sys.argv[3]).wait()", "await (await client.job(sys.argv[3])).wait()")
    return "\n".join([*lines[:3], "import asyncio", "async def main():", body, "asyncio.run(main())"])


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("place")) as place, serving(place) as api, place.started("worker"):
        yield api


def interrupted(process: "subprocess.Popen[str]") -> None:
    """Sends Ctrl-C; it must end as Python does, and complain of nothing else."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=WITHIN_S)
    assert process.returncode == -signal.SIGINT, said
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "never retrieved" not in said
    assert "Unclosed" not in said


def run(program: str, *words: str, output: Path) -> "subprocess.Popen[str]":
    with output.open("w") as out:
        command = [sys.executable, "-u", "-W", "error", "-c", program, *words]
        return subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("program", [WAIT, async_twin(WAIT)], ids=["sync", "async"])
def test_a_wait_is_interrupted(api: Api, program: str, tmp_path: Path) -> None:
    with CuttingProxy(api.url) as proxy, Client(api.url, token=EVERY) as client:
        job = client.submit(api.desk.fresh(1), start_at="+1h")
        process = run(program, proxy.url, EVERY, job.id, output=tmp_path / "out")
        wait_for(lambda: any(b"/events" in asked for asked in proxy.asked), WITHIN_S)
        interrupted(process)


@pytest.mark.parametrize("program", [CONSUME, async_twin(CONSUME)], ids=["sync", "async"])
def test_a_consumer_is_interrupted_and_loses_nothing(api: Api, program: str, tmp_path: Path, request) -> None:
    name, output = request.node.callspec.id, tmp_path / "out"
    with Client(api.url, token=EVERY) as client, Client(api.desk.url) as reader:
        process = run(program, api.desk.url, "", name, output=output)
        references = api.desk.fresh(20)
        client.submit(references).wait(WITHIN_S)
        wait_for(lambda: set(references) <= set(output.read_text().split()), WITHIN_S)
        interrupted(process)
        again = [result.reference for result in reader.consume("billing", consumer=name, wait=0.01)]
    assert len(again) <= 1  # but for the last, all were acknowledged when the next was asked for


def test_threads_share_a_client(api: Api) -> None:
    parts = [api.desk.fresh(3) for _ in range(8)]
    with Client(api.url, token=EVERY) as client, ThreadPoolExecutor(8) as threads:

        def handed_in(part: list[str]) -> list[str]:
            return sorted(result.reference for result in client.submit(part).wait(WITHIN_S).results())

        assert list(threads.map(handed_in, parts)) == [sorted(part) for part in parts]


def test_tls_that_does_not_fit_is_told(api: Api, tmp_path: Path, monkeypatch) -> None:
    _, trusting = certified(tmp_path)
    files = ("--tls-cert", str(tmp_path / "shown.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with serving(api.desk, *files, log=tmp_path / "log") as tls:
        assert "does it speak http://?" in refused(api.url.replace("http:", "https:"))
        assert "give http=httpx.Client(verify=...)" in refused(tls.url)
        with httpx.Client(verify=trusting) as http, Client(tls.url, token=EVERY, http=http) as client:
            assert client.submit(api.desk.fresh(1)).wait(WITHIN_S).state == "completed"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "shown.pem"))
        with Client(tls.url, token=EVERY) as client:
            assert client.submit(api.desk.fresh(1)).wait(WITHIN_S).state == "completed"


def refused(url: str) -> str:
    """What is said of an address that cannot be spoken to."""
    with Client(url, token=EVERY, retries=0) as client, pytest.raises(TransportError) as caught:
        client.submit(["EC-000-000-001"])
    assert str(caught.value).startswith(f"no answer from {url}: ")
    return str(caught.value)
