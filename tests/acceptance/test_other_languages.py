"""The examples in other languages do what they say, against the real server, worker, sandbox and HTTP API."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from cancellist_client.testing import RealStack, real_stack
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.servers import running
from tests.support.stage import wait_for

pytestmark = pytest.mark.acceptance

EXAMPLES = ROOT / "clients/examples"
RESULTS = "cancellist:results"
WITHIN_S = 60
TAKE_OVER_MS = 200
NODES_PACKAGE = EXAMPLES / "node/node_modules/redis"
PROGRAM = {"node": ["node"], "php": ["php"], "java": ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1"]}


@dataclass
class Place:
    """Where the examples run."""

    stack: RealStack
    redis_url: str
    redis: "Redis[str]"
    unused: Callable[[int], list[str]]

    def command(self, language: str, name: str, *words: str) -> list[str]:
        """A command; PHP's extension wants host and port apart."""
        program = next((EXAMPLES / language).glob(f"{name}.*"))
        assert language != "node" or NODES_PACKAGE.is_dir(), "Node has no package redis: run .ci/need-languages"
        if self.redis_url in words and language == "php":
            at, address = words.index(self.redis_url), urlsplit(self.redis_url)
            words = (*words[:at], str(address.hostname), str(address.port), *words[at + 1 :])
        return [*PROGRAM[language], str(program), *words]

    def run(self, language: str, name: str, *words: str, token: str = "") -> "subprocess.CompletedProcess[str]":
        """Runs an example to its end."""
        own = os.environ | {"TOKEN": token or self.stack.token}
        command = self.command(language, name, *words)
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=WITHIN_S, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    folder, port = tmp_path_factory.mktemp("v"), free_port()
    with running("valkey", folder, "--bind", "127.0.0.1", "--port", str(port)):
        url = f"redis://127.0.0.1:{port}/0"
        with (
            real_stack(consignments=500, settings={"REDIS_URL": url}) as stack,
            Redis.from_url(url, decode_responses=True) as redis,
        ):
            left = iter(stack.references(200))
            yield Place(stack, url, redis, lambda count: list(islice(left, count)))


@pytest.mark.parametrize(("language", "name"), [("node", "enqueue-http"), ("php", "enqueue-http"), ("java", "Cancel")])
def test_a_job_is_handed_in_by_http_and_its_results_are_read(place: Place, language: str, name: str) -> None:
    references = place.unused(3)
    words = (place.stack.url, f"order-{language}", *references)
    first = place.run(language, name, *words)
    assert first.returncode == 0, first.stderr
    for reference in references:
        assert re.search(rf"\b{reference}\b.*\bcancelled\b", first.stdout), first.stdout
    assert place.run(language, name, *words).stdout == first.stdout  # the same key is the same job
    refused = place.run(language, name, *words, token="wrong")
    assert refused.returncode != 0
    assert "401: " in refused.stderr + refused.stdout


@pytest.mark.parametrize(
    ("language", "name"), [("node", "enqueue-stream"), ("php", "enqueue-stream"), ("java", "EnqueueStream")]
)
def test_a_job_is_handed_in_by_the_stream(place: Place, language: str, name: str) -> None:
    references = place.unused(3)
    runs = [place.run(language, name, place.redis_url, f"stream-{language}", *references) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    entries = [run.stdout.strip() for run in runs]
    assert len(set(entries)) == 2
    found = {}
    wait_for(lambda: found.update(outcomes(place)) or found.keys() >= set(references), WITHIN_S)
    assert {found[reference] for reference in references} == {"cancelled"}
    with place.stack.client() as client:
        jobs = [job.status for job in client.jobs() if job.status.document.get("intake_entry") in entries]
    assert [(job.total, job.requested_by, job.reason) for job in jobs] == [(3, "shop", "order withdrawn")]


def test_the_page_shows_such_a_program_as_it_runs(place: Place) -> None:
    page = (ROOT / "docs/how-to/produce-from-any-language.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (java .*)$", page, re.MULTILINE)
    own = os.environ | {"CANCELLIST_REDIS_URL": place.redis_url}
    said = subprocess.run(["sh", "-c", command], cwd=ROOT, env=own, stdout=subprocess.PIPE, text=True, check=True)
    assert re.fullmatch(r"\d+-\d+\n", said.stdout)
    wait_for(lambda: outcomes(place).keys() >= set(command.split()[-2:]), WITHIN_S)


def outcomes(place: Place) -> dict[str, str]:
    return {fields["reference"]: fields["outcome"] for _, fields in place.redis.xrange(RESULTS)}


def idle_ms(place: Place, group: str) -> int:
    """For how long all that is pending has been so."""
    return min(row["time_since_delivered"] for row in place.redis.xpending_range(RESULTS, group, "-", "+", 100))


@contextmanager
def consuming(place: Place, language: str, name: str, group: str, log: Path) -> Iterator[Callable[[], list[list[str]]]]:
    """Runs the example consumer for a block; what it gives tells the words of each line that was printed in whole."""
    command = place.command(language, name, place.redis_url, group, "one", str(TAKE_OVER_MS))
    errors = log.with_suffix(".err")
    with log.open("ab") as out, errors.open("ab") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)

    def printed() -> list[list[str]]:
        assert process.poll() is None, f"it ended with {process.returncode}: {errors.read_text()}"
        return [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    try:
        yield printed
        printed()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("language", "name"), [("node", "consume"), ("php", "consume"), ("java", "Consume")])
def test_results_are_consumed_also_those_of_a_consumer_that_died(
    place: Place, language: str, name: str, tmp_path: Path
) -> None:
    group, log = f"billing-{language}", tmp_path / "out.log"
    with place.stack.client() as client:
        client.submit(place.unused(20)).wait(WITHIN_S)
    place.redis.xgroup_create(RESULTS, group, "0", mkstream=True)
    held = place.redis.xreadgroup(group, "dead", {RESULTS: ">"}, count=7)[0][1]
    assert len(held) == 7
    place.redis.xreadgroup(group, "one", {RESULTS: ">"}, count=3)  # which it held itself before it was started anew

    wait_for(lambda: idle_ms(place, group) > TAKE_OVER_MS, WITHIN_S)

    def dealt_with(wanted: dict[str, str], lines: list[list[str]]) -> bool:
        group_now = next(row for row in place.redis.xinfo_groups(RESULTS) if row["name"] == group)
        said = {reference: outcome for _, reference, outcome in lines}
        return group_now["pending"] == group_now["lag"] == 0 and said == wanted

    with consuming(place, language, name, group, log) as printed:
        wait_for(lambda: dealt_with(outcomes(place), printed()), WITHIN_S)
        with place.stack.client() as client:  # new ones come while it waits for them
            client.submit(place.unused(5)).wait(WITHIN_S)
        wait_for(lambda: dealt_with(outcomes(place), printed()), WITHIN_S)
        lines = printed()
    assert [entry for entry, *_ in lines].count(held[0][0]) == 1
    assert len(lines) == place.redis.xlen(RESULTS)


def test_nothing_says_where_packages_come_from() -> None:
    """A lock file would hold addresses."""
    for file in EXAMPLES.rglob("*"):
        if "node_modules" not in file.parts and file.is_file():
            assert "lock" not in file.name
    assert json.loads((EXAMPLES / "node/package.json").read_text())["dependencies"] == {"redis": "^6.0.0"}
