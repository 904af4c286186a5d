"""The real thing on this machine: `cancellist`'s embedded server, sandbox, worker and HTTP API.

The command `cancellist` must be installed, best in an environment of its own; `CANCELLIST_COMMAND` names it where it is
not on the PATH. Everything is started in a temporary folder, listens on loopback only, and is ended by its process id.
"""

import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from cancellist_client._async.client import AsyncClient
from cancellist_client._sync.client import Client

_START_S: Final = 60.0
_END_S: Final = 20.0
_LOOK_S: Final = 0.05
_LAST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class RealStack:
    """Where everything listens.

    Attributes:
        url: the HTTP API.
        token: a token of it with every role.
        redis_url: the server that holds the ledger.
        platform_url: the sandbox, which stands for the shipping platform.
        folder: the temporary folder, with the logs.
    """

    url: str
    token: str
    redis_url: str
    platform_url: str
    folder: Path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.url}>"

    def client(self, **options: Any) -> Client:
        """A client by HTTP."""
        return Client(self.url, token=self.token, **options)

    def async_client(self, **options: Any) -> AsyncClient:
        """An asynchronous client by HTTP."""
        return AsyncClient(self.url, token=self.token, **options)

    def references(self, count: int, *, state: str = "Allocated", skip: int = 0) -> list[str]:
        """References of consignments that the sandbox has in this state (`Allocated` ones can be cancelled)."""
        answer = httpx.get(
            f"{self.platform_url}/consignments/GetConsignmentReferences", params={"State": state}, timeout=_START_S
        )
        answer.raise_for_status()
        found: list[str] = answer.json()[skip : skip + count]
        if len(found) < count:
            raise LookupError(f"the sandbox has only {len(found)} more consignments that are {state}")
        return found


@contextmanager
def real_stack(
    *, consignments: int = 5_000, settings: Mapping[str, object] | None = None
) -> Generator[RealStack, None, None]:
    """Starts everything, and ends it with the block.

    Args:
        consignments: how many the sandbox has.
        settings: of cancellist, without the prefix `CANCELLIST_`.

    Raises:
        RuntimeError: something does not start; the text has its last words.
    """
    token = secrets.token_urlsafe(24)
    digest = hashlib.sha256(token.encode()).hexdigest()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="cancellist-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        data = folder / "data"
        stack.callback(_end_server, data)
        command = _command()
        own = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}

        sandbox = ["sandbox", "--json", "--port", "0", "--consignments", str(consignments)]
        platform = stack.enter_context(_process([*command, *sandbox], folder, own, answers=True))
        platform_url: str = json.loads(platform.first_line())["url"]
        given = {
            "DATA_DIR": data,
            "API_URL": platform_url,
            "API_TOKENS": f"tests:read+submit+operate+approve:{digest}",
            "LOG_FORMAT": "json",
            "LEASE_SECONDS": 3,
            **(settings or {}),
        }
        environment = own | {f"CANCELLIST_{name}": str(value) for name, value in given.items()}
        worker = stack.enter_context(_process([*command, "worker"], folder, environment))
        serve = stack.enter_context(
            _process([*command, "serve", "--json", "--port", "0"], folder, environment, answers=True)
        )
        url: str = json.loads(serve.first_line())["url"]
        real = RealStack(url, token, f"unix://{data}/valkey.sock", platform_url, folder)
        _wait_for(real.url, (worker, serve))
        yield real


@dataclass(frozen=True, slots=True)
class _Process:
    """A process, and where it logs."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def first_line(self) -> str:
        """The first line of its output."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            with suppress(subprocess.TimeoutExpired):  # its last words may come after it has closed its output
                self.process.wait(_END_S)
            raise self.failed()
        return line

    def failed(self) -> RuntimeError:
        """Why it has not started."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        return RuntimeError(f"`cancellist {self.name}` did not start: {' / '.join(lines) or 'it said nothing'}")


@contextmanager
def _process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, answers: bool = False
) -> Generator[_Process, None, None]:
    name = next((word for word in command if word in {"sandbox", "worker", "serve"}), command[-1])
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if answers else out, stderr=out, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield _Process(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _command() -> list[str]:
    """The words that begin each command."""
    named = os.environ.get("CANCELLIST_COMMAND")
    if named:
        return shlex.split(named)
    beside = Path(sys.executable).with_name("cancellist")
    found = str(beside) if beside.exists() else shutil.which("cancellist")
    if found is None:
        raise RuntimeError("the command cancellist is not there: install it, or name it in CANCELLIST_COMMAND")
    return [found]


def _wait_for(url: str, processes: Sequence[_Process]) -> None:
    """Waits until the API can serve."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        for one in processes:
            if one.process.poll() is not None:
                raise one.failed()
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=_START_S).is_success:
                return
        time.sleep(_LOOK_S)
    raise processes[-1].failed()


def _end_server(data: Path) -> None:
    """Ends the embedded server where the last of its users was killed, and could not."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int((data / "valkey.pid").read_text(encoding="ascii")), signal.SIGTERM)
