"""Runs commands as a user does: as processes, against a real platform and a real server.

Every process started here is ended by its process id.
"""

import asyncio
import contextlib
import itertools
import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import connect
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
from cancellist.jobs.model import JobRecord
from cancellist.sandbox.world.consignments import OPEN, initial_state, parse_mix
from cancellist.sandbox.world.references import reference
from tests.support import processes
from tests.support.door import door
from tests.support.stage import MIX, ROOT, SEED, Platform, platform

TIMEOUT_S = 40
_MIX = parse_mix(MIX)


@dataclass(frozen=True)
class Done:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Desk:
    """A user's terminal: a folder, settings, and unused references."""

    folder: Path
    platform: Platform
    url: str
    settings: dict[str, str]
    _indexes: Iterator[int] = field(default_factory=itertools.count)

    def run(self, *arguments: object, text: str | bytes = b"", **settings: str) -> Done:
        """Runs a command to its end."""
        given = text.encode() if isinstance(text, str) else text
        done = processes.run(
            self._command(arguments), cwd=self.folder, env=self.environment(**settings), given=given, timeout=TIMEOUT_S
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def redirected(self, arguments: Sequence[object], **streams: Any) -> Done:
        """Runs a command to its end whose streams lead elsewhere, or are `closed`; see `processes.Popen`."""
        done = processes.run(
            self._command(arguments), cwd=self.folder, env=self.environment(), timeout=TIMEOUT_S, **streams
        )
        return Done(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    def shell(self, script: str, *, copied: bool = False, **settings: str) -> Done:
        """Runs a bash script, in which `$c` is the command.

        Args:
            script: the script.
            copied: whether the command is a copy as it is for `run`; see `door.py`.
            settings: as for `run`.
        """
        with contextlib.ExitStack() as stack:
            command = shlex.join(self._command(()))
            if copied:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                command = shlex.quote(str(stack.enter_context(door(folder / "door")) / "cancellist"))
            environment = self.environment(**settings) | {"c": command}
            done = subprocess.run(
                ["bash", "-c", script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *arguments: object, text: str | bytes = b"", **settings: str) -> Done:
        """Runs a command whose exit status must be 0."""
        done = self.run(*arguments, text=text, **settings)
        assert done.status == 0, done
        return done

    def typed(self, *arguments: object, keys: str = "", after: str = "", columns: int = 80, **settings: str) -> Done:
        """Runs a command in a terminal. Its output is all that the terminal shows.

        Args:
            arguments: the arguments of the command.
            keys: the keys to type.
            after: the text to wait for before typing.
            columns: the width of the terminal.
            settings: as for `run`.
        """
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, columns))
        environment = self.environment(**settings) | {"TERM": "xterm"}
        del environment["COLUMNS"]
        process = processes.Popen(
            self._command(arguments), cwd=self.folder, env=environment, stdin=its, stdout=its, stderr=its,
            start_new_session=True, preexec_fn=processes.its_terminal,
        )  # fmt: skip
        os.close(its)
        try:
            shown = _conversation(ours, keys, after)
            return Done(process.wait(TIMEOUT_S), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown), "")
        finally:
            os.close(ours)
            if process.poll() is None:
                process.kill()
                process.wait()

    @contextlib.contextmanager
    def started(self, *arguments: object, **settings: str) -> Iterator["subprocess.Popen[str]"]:
        """Runs a command for a block."""
        process = processes.Popen(
            self._command(arguments), cwd=self.folder, env=self.environment(**settings), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def jobs(self) -> list[JobRecord]:
        """Returns all jobs in the ledger, also those that are not sealed, read without a command."""
        return asyncio.run(self._jobs())

    async def _jobs(self) -> list[JobRecord]:
        redis = await connect(self.url)
        try:
            return await records.newest(Ledger(redis), 1000)
        finally:
            await redis.aclose()

    def drain(self) -> None:
        """Runs a worker until nothing is left."""
        self.ok("worker", "--burst")

    def file(self, name: str, content: str | bytes) -> Path:
        """Writes a file."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def fresh(self, count: int, standing: str = "open") -> list[str]:
        """Returns references that no other test uses, of consignments in the given state."""
        found = (index for index in self._indexes if _standing(index) == standing)
        return [reference(SEED, index) for index in itertools.islice(found, count)]

    def record(self, references: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns the platform's record of these references."""
        return self.platform.record(references)

    def command(self, *arguments: object) -> list[str]:
        """The command as a process."""
        return self._command(arguments)

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return [sys.executable, "-m", "cancellist", *map(str, arguments)]

    def environment(self, **settings: str) -> dict[str, str]:
        """Returns the environment of a command."""
        return self._environment(settings)

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
        named = {f"CANCELLIST_{name.upper()}": value for name, value in (self.settings | settings).items()}
        return {**own, **named, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder), "COLUMNS": "200"}


def _conversation(terminal: int, keys: str, after: str) -> str:
    """Types the keys once the awaited text is shown, and returns all output."""
    shown, deadline = "", time.monotonic() + TIMEOUT_S
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            shown += os.read(terminal, 65_536).decode()
        except OSError:  # EIO: the other side is closed
            return shown
        if keys and after in shown:
            os.write(terminal, keys.encode())
            keys = ""
    raise AssertionError(f"it did not end; it showed {shown!r}")


def _standing(index: int) -> str:
    state = initial_state(SEED, index, _MIX)
    return "open" if state in OPEN else state.value


@contextlib.contextmanager
def desk(folder: Path, *, consignments: int = 60_000) -> Iterator[Desk]:
    """Opens a desk whose embedded server stays up between commands, since the test uses it too."""
    with platform(folder, consignments=consignments, latency_ms=2) as world, EmbeddedServer(folder / "data") as server:
        settings = {"data_dir": str(folder / "data"), "api_url": world.url, "max_concurrent_calls": "16"}
        yield Desk(folder, world, server.url, settings)
