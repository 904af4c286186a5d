"""Processes that use an embedded server, and a way to end that server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cancellist.jobs.ledger.server.valkey_process import ServerFiles, is_alive, pid_of
from tests.support import ROOT

# it connects, reports that, and disconnects when its standard input is closed
USER = """
import sys
from pathlib import Path
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""

# it connects and disconnects repeatedly and counts, so that a lost server or write shows in the count
RESTLESS = """
import random, sys, time
from pathlib import Path
from redis import Redis
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
for _ in range(int(sys.argv[2])):
    with EmbeddedServer(Path(sys.argv[1])) as server:
        with Redis.from_url(server.url) as redis:
            redis.incr("visits")
        time.sleep(random.uniform(0, 0.02))
"""


class User:
    """A process that uses the server."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | env,
        )
        line = self.process.stdout.readline()
        self.server_pid = int(line)

    def leave(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def end_server(files: ServerFiles) -> None:
    pid = pid_of(files)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(files))


def eventually(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
