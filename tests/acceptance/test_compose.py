"""docker-compose.yml without Docker: each service's own command in its own environment, as a process of this machine.

What differs from a container: hosts are 127.0.0.1, ports are free ones, and folders are temporary ones.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cancellist.api.serving.server import GRACE_S, LAST_S
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.config.sources import MAY_BE_EMPTY
from cancellist.jobs.times import parse_span_s
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.servers import binary

pytestmark = pytest.mark.acceptance


COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DISTRIBUTION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STARTS_WITHIN_S = 30


def instruction(name: str) -> str:
    """The last of its kind in the Dockerfile, which is the one that counts."""
    unfolded = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", unfolded, re.MULTILINE)[-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())


def interpolated(value: str) -> str:
    """As compose does it where none of the variables is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


@dataclass
class Process:
    """A service's process."""

    service: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    def end(self) -> tuple[int, float]:
        """Ends it as Docker does; answers its exit status and the seconds it took."""
        began = time.monotonic()
        self.popen.send_signal(signal.Signals[instruction("STOPSIGNAL")])
        try:
            status = self.popen.wait(parse_span_s(SERVICES[self.service]["stop_grace_period"]))
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.service} did not end in its grace period:\n{self.log.read_text(errors='replace')}")
        return status, time.monotonic() - began


@dataclass
class Machine:
    """Where the services run."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {"redis": free_port(), "sandbox": free_port()})
    processes: list[Process] = field(default_factory=list)

    def local(self, text: str) -> str:
        """The hosts and ports of the containers' network as they are here."""
        text = interpolated(text).replace("redis:6379", f"127.0.0.1:{self.ports['redis']}")
        text = text.replace("sandbox:8089", f"127.0.0.1:{self.ports['sandbox']}").replace("0.0.0.0", "127.0.0.1")
        return str(self.ports["sandbox"]) if text == "8089" else text

    def environment(self, service: str) -> dict[str, str]:
        """What a process of the service finds; nothing of this machine's settings."""
        own = image_environment() if "build" in SERVICES[service] else {}
        own |= {name: self.local(value) for name, value in SERVICES[service].get("environment", {}).items()}
        bin_dir = str(Path(sys.executable).parent)
        path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
        paths = {"PATH": path, "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return own | paths | {"CANCELLIST_DATA_DIR": str(self.folder / "data")}

    def command(self, service: str) -> list[str]:
        """What its container runs."""
        words: list[str] = SERVICES[service].get("command", [])
        if "build" in SERVICES[service]:
            return [*json.loads(instruction("ENTRYPOINT")), *map(self.local, words or json.loads(instruction("CMD")))]
        here = ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return [binary("redis"), *words[1:], *here]

    def start(self, service: str) -> None:
        for _ in range(SERVICES[service].get("deploy", {}).get("replicas", 1)):
            log = self.folder / f"{service}{len(self.processes)}.log"
            with log.open("wb") as out:
                popen = subprocess.Popen(
                    self.command(service), cwd=self.folder, env=self.environment(service), stdin=subprocess.DEVNULL,
                    stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            self.processes.append(Process(service, popen, log))

    def healthy(self, service: str) -> bool:
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        if words[0] == "redis-cli":
            words[1:1] = ["-p", str(self.ports["redis"])]
        done = subprocess.run(words, check=False, capture_output=True, timeout=30, env=self.environment(service))
        return done.returncode == 0

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`docker compose run worker ...`."""
        command = [*json.loads(instruction("ENTRYPOINT")), *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment("worker"), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip

    def redis(self, *words: str) -> list[str]:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.ports["redis"]), *words], check=True, capture_output=True, text=True
        )
        return done.stdout.split()

    def until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not condition():
            ended = [p for p in self.processes if p.popen.poll() is not None]
            logs = {p.service: p.log.read_text(errors="replace") for p in ended or self.processes}
            assert not ended, logs
            assert time.monotonic() < deadline, (what, logs)
            time.sleep(0.05)

    def answers(self, service: str) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[service]), 5):
            return True
        return False


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    try:
        yield machine
    finally:
        for process in machine.processes:
            if process.popen.poll() is None:
                process.popen.kill()
            process.popen.wait(10)


def test_the_services_drain_a_file_and_end_when_they_are_told_to(machine: Machine) -> None:
    machine.start("redis")
    machine.until(lambda: machine.healthy("redis"), "the server is healthy")
    assert machine.redis("CONFIG", "GET", "maxmemory-policy") == ["maxmemory-policy", "noeviction"]
    assert machine.redis("CONFIG", "GET", "appendonly") == ["appendonly", "yes"]
    assert machine.redis("CONFIG", "GET", "appendfsync") == ["appendfsync", "always"]

    machine.start("sandbox")
    machine.until(lambda: machine.answers("sandbox"), "the sandbox answers")
    machine.start("worker")
    assert [process.service for process in machine.processes].count("worker") == 2
    machine.until(lambda: machine.healthy("worker"), "a worker lives")

    query = f"http://127.0.0.1:{machine.ports['sandbox']}/consignments/getConsignmentReferences?State=Allocated"
    with urllib.request.urlopen(query, timeout=30) as answer:
        references = json.loads(answer.read())[:1_000]
    assert len(references) == 1_000
    (machine.folder / "references.txt").write_text("\n".join(references), encoding="utf-8")
    done = machine.run("enqueue", "references.txt", "--wait")
    assert done.returncode == 0, done.stderr

    with urllib.request.urlopen(query, timeout=30) as answer:
        assert not set(references) & set(json.loads(answer.read()))

    ends = {(process.service, process.popen.pid): process.end() for process in reversed(machine.processes)}
    assert {status for status, _ in ends.values()} == {0}, ends
    assert not machine.healthy("worker")


def test_every_setting_is_handed_through_and_those_of_accounts_from_the_file_beside_it() -> None:
    handed = SERVICES["worker"]["environment"]
    assert set(handed) == {f"CANCELLIST_{name.upper()}" for name in Settings.model_fields if name != "accounts"}
    for name, value in handed.items():
        setting = name.removeprefix("CANCELLIST_").lower()
        assert re.fullmatch(rf"\$\{{{name}{'' if setting in MAY_BE_EMPTY else ':'}-[^}}]*\}}", value)
    assert SERVICES["worker"]["env_file"] == [{"path": ".env", "required": False}]


def test_the_api_goes_by_the_same_settings_and_outlives_the_requests_that_it_ends() -> None:
    serve, worker = SERVICES["serve"], SERVICES["worker"]
    assert (serve["environment"], serve["env_file"]) == (worker["environment"], worker["env_file"])
    assert parse_span_s(serve["stop_grace_period"]) > GRACE_S + LAST_S
    port = Settings(_env_file=None).serve_port
    assert serve["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert serve["command"] == ["serve", "--host", "0.0.0.0", "--port", str(port)]
    assert f":{port}/healthz" in serve["healthcheck"]["test"][-1]


def test_without_any_setting_the_workers_take_the_defaults_but_for_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, interpolated(value))
    settings = load(_env_file=None)
    assert settings.redis_url
    own = {"redis_url": settings.redis_url, "data_dir": Path("/data"), "api_url": "http://sandbox:8089"}
    assert settings == Settings(_env_file=None).model_copy(update=own)


def test_image_and_services_ask_the_worker_itself_whether_it_lives() -> None:
    probe = ["cancellist", "worker", "--check"]
    assert json.loads(instruction("HEALTHCHECK").partition("CMD ")[2]) == probe
    assert SERVICES["worker"]["healthcheck"]["test"] == ["CMD", *probe]
    assert SERVICES["sandbox"]["healthcheck"] == {"disable": True}


def test_a_worker_is_given_longer_to_end_than_a_call_may_take() -> None:
    assert parse_span_s(SERVICES["worker"]["stop_grace_period"]) > Settings(_env_file=None).call_timeout


def test_no_secret_is_written_down_and_nothing_but_the_server_is_pulled() -> None:
    assert SERVICES["worker"]["environment"]["CANCELLIST_API_KEY"] == "${CANCELLIST_API_KEY:-}"
    assert [name for name, service in SERVICES.items() if "image" in service] == ["redis"]


def test_the_image_runs_the_command_of_the_distribution_without_being_root() -> None:
    user = instruction("USER")
    assert all(part.isdecimal() and int(part) >= 1000 for part in user.split(":"))
    assert f"--uid {user.split(':')[0]} " in DOCKERFILE
    assert instruction("STOPSIGNAL") == "SIGTERM"
    (entry,) = json.loads(instruction("ENTRYPOINT"))
    assert entry in DISTRIBUTION["project"]["scripts"]
    assert shutil.which(entry, path=str(Path(sys.executable).parent))
    assert json.loads(instruction("CMD")) == ["worker"]


def test_the_image_is_built_from_every_package_and_from_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    wheel = DISTRIBUTION["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert let_in >= {path.partition("/")[0] for path in (*wheel["force-include"], *wheel["only-include"])}
    assert not {name for name in let_in if name.startswith(".")}
