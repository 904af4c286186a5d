"""The sandbox as a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest

from cancellist.sandbox.faults.kinds import FaultKind, meaning
from cancellist.sandbox.world.references import reference
from tests.support import ROOT, processes


@asynccontextmanager
async def process(*arguments, **environment):
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        *arguments,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_announces_itself_serves_and_ends_with_0_when_told_to(number):
    async with process("--port", "0", "--json", "--consignments", "10000000", CANCELLIST_SANDBOX_KEY="k") as started:
        announced = orjson.loads(await started.stdout.readline())
        async with aiohttp.ClientSession(announced["url"]) as http:
            path = f"/consignments/{announced['references'][0]}/cancel"
            async with http.put(path) as answer:
                assert answer.status == 401
            async with http.put(path, headers={"ocp-apim-subscription-key": "k"}) as answer:
                assert answer.status == 200
            started.send_signal(number)
            assert await started.wait() == 0
        assert await started.stderr.read() == b""


async def test_it_prints_one_line_that_says_how_to_use_it():
    async with process("--port", "0", "--fault", "html=0.5") as started:
        line = (await started.stdout.readline()).decode()
        url = line.partition(" ")[0]
        assert f"CANCELLIST_API_URL={url}" in line
        assert "EC-" in line
        async with aiohttp.ClientSession(url) as http, http.get("/sandbox/settings") as answer:
            assert (await answer.json())["faults"] == {"html": 0.5}
        started.send_signal(signal.SIGTERM)
        assert await started.wait() == 0
        assert await started.stdout.read() == b""


async def test_a_port_in_use_is_one_line_and_exit_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with process("--port", str(taken.getsockname()[1])) as started:
            _, words = await started.communicate()
            assert started.returncode == 1
            assert words.decode().count("\n") == 1
            assert "in use" in words.decode()


async def test_its_options_make_it_another_platform():
    name = reference(1, 3)
    options = ("--refusal-words", "generic", "--manifested-cancellable", "--ready-to-ship-refused", "--strict")
    faults = (
        "--at",
        f"{name}=429-before",
        "--at",
        f"{name}=reads:stale-age*2",
        "--faults-for-s",
        "9",
        "--stale-s",
        "60",
    )
    async with process("--port", "0", "--json", *options, *faults, "--surplus-ms", "5") as started:
        settings = orjson.loads(await started.stdout.readline())["settings"]
        wanted = {
            "refusal_words": "generic",
            "manifested_cancellable": True,
            "ready_to_ship_refused": True,
            "strict": True,
            "at": {name: {"429-before": None, "reads:stale-age": 2}},
            "faults_for_s": 9,
            "stale_s": 60,
            "surplus_ms": 5,
        }
        assert {setting: settings[setting] for setting in wanted} == wanted


async def test_its_help_names_every_fault_with_its_meaning():
    async with process("--fault", "help") as started:
        words, _ = await started.communicate()
        assert started.returncode == 0
        lines = words.decode().splitlines()
        assert all(any(line.startswith(f"{kind} ") and meaning(kind) in line for line in lines) for kind in FaultKind)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--at", "EC-1"],
        ["--at", "EC-1=nonsense"],
        ["--at", "EC-1=slow*0"],
        ["--at", "EC-1=slow*often"],
        ["--at", "=slow"],
        ["--refusal-words", "rude"],
        ["--fault", "nonsense=1"],
        ["--fault", "html"],
        ["--mix", "Nowhere=1"],
        ["--poison", "500"],
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments):
    words = [sys.executable, "-m", "cancellist.sandbox", "--port", "0", *arguments]
    assert processes.run(words, cwd=ROOT, timeout=30).returncode == 2
