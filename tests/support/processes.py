"""Processes of the program as `subprocess` starts them, but without the time that their imports take.

Where one does not end in time, the error says where it hangs; see `hanging.py`.

One process beside each process of tests has imported the program, and copies itself for each command; see `warm.py`.
What must start as a user's does is started so: where its environment tells Python something, and where it is not
`python -m` of the program. `REAL_PROCESSES=1` starts all of them so.
"""

import fcntl
import functools
import inspect
import json
import os
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import ROOT
from tests.support.hanging import HangingError
from tests.support.warm import ANSWER_BYTES, CLONE

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
MODULES = {"cancellist", "cancellist.sandbox", "cli", "arq"}
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
UNUSUAL = ("executable", "preexec_fn", "pass_fds", "shell", "gid", "gids", "uid", "umask", "process_group")
ALL_REAL = bool(os.environ.get("REAL_PROCESSES")) or sys.platform != "linux" or not CLONE
_FOR_IMPORTS = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "SSL", "NO_COLOR", "FORCE_COLOR", "TYPER_")
_OURS = {name: value for name, value in os.environ.items() if not name.startswith("CANCELLIST_")}
"""What the warm process finds in its environment, whatever a test sets in ours."""
_LOCK = threading.Lock()


class Popen(subprocess.Popen):  # type: ignore[type-arg] - it is generic for type checkers alone
    """A process that is started without its imports where it can be; in all else that of `subprocess`.

    Args:
        words: the command.
        closed: numbers of standard streams that it finds closed, as `2>&-` closes them in a shell.
        options: of `subprocess.Popen`.
    """

    def __init__(self, words: Sequence[str], *, closed: Collection[int] = (), **options: Any) -> None:
        self._closed = sorted(closed)
        if closed and ALL_REAL:
            closing = " ".join(f"{number}>&-" for number in self._closed)
            words = ["bash", "-c", f'exec "$0" "$@" {closing}', *words]
        super().__init__(words, **options)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status.

        Raises:
            HangingError: it has not ended in time.
        """
        try:
            return super().wait(timeout)
        except subprocess.TimeoutExpired as late:
            raise HangingError(self.pid, late) from None

    def communicate(self, input: Any = None, timeout: float | None = None) -> Any:  # noqa: A002 - its name
        """Gives it this to read; answers all that it writes.

        Raises:
            HangingError: it has not ended in time.
        """
        try:
            return super().communicate(input, timeout)
        except HangingError:
            raise
        except subprocess.TimeoutExpired as late:
            raise HangingError(self.pid, late, self._errors_so_far) from None

    def _errors_so_far(self) -> bytes:
        """What it has written to standard error, and writes within a second, where that is a pipe."""
        try:
            _, written = super().communicate(timeout=1)
        except subprocess.TimeoutExpired as late:
            written = late.stderr
        return written.encode() if isinstance(written, str) else written or b""

    def _execute_child(self, *arguments: Any) -> None:
        """Starts it, as `subprocess` asks for it."""
        asked = inspect.signature(super()._execute_child).bind(*arguments).arguments
        environment = dict(os.environ) if asked["env"] is None else asked["env"]
        if ALL_REAL or not _can_be_copied(asked, environment):
            super()._execute_child(*arguments)
            return
        streams = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        request = {
            "module": asked["args"][2], "arguments": ["-m", *asked["args"][3:]], "environment": environment,
            "folder": str(asked["cwd"] or Path.cwd()), "session": asked["start_new_session"],
            "terminal": asked["preexec_fn"] is its_terminal, "closed": self._closed,
        }  # fmt: skip
        try:
            self.pid = _copied(request, [number if given < 0 else given for number, given in enumerate(streams)])
            self._child_created = True
        finally:
            self._close_pipe_fds(*(asked[name] for name in PIPES))


def run(words: Sequence[str], *, given: Any = None, timeout: float | None = None, **options: Any) -> Any:
    """As `subprocess.run`: gives it this to read, in a pipe, and answers all that it writes."""
    reads = DEVNULL if given is None else PIPE
    with Popen(words, **{"stdin": reads, "stdout": PIPE, "stderr": PIPE, **options}) as process:
        try:
            out, err = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def end(process: subprocess.Popen[Any], within_s: float = 10) -> None:
    """Ends a process by SIGTERM, and by SIGKILL if that takes too long."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(within_s)


def warm_up() -> None:
    """Starts the warm process, if none is there yet. It inherits what others may: nothing that was received by then."""
    _warm()


def its_terminal() -> None:
    """What stands at standard input becomes its terminal, where it has a session of its own: for `preexec_fn`."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _can_be_copied(asked: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether it is a command of the program, and nothing is asked of Python or of the system besides."""
    words = asked["args"]
    if not isinstance(words, (list, tuple)) or list(words[:2]) != [sys.executable, "-m"] or words[2] not in MODULES:
        return False
    told, usual = (
        {name: value for name, value in given.items() if name.startswith(_FOR_IMPORTS) and name != "PYTHONPATH"}
        for given in (environment, _OURS)
    )
    plain = all(not asked.get(name) or asked[name] in (-1, its_terminal) for name in UNUSUAL)
    return plain and told == usual and environment.get("PYTHONPATH", str(asked["cwd"])) == str(ROOT)


def _copied(request: Mapping[str, Any], streams: Sequence[int]) -> int:
    """A copy of the warm process that becomes what is asked for; its process id."""
    text = json.dumps(request).encode()
    with _LOCK:
        asking = _warm()
        socket.send_fds(asking, [text], streams)
        return int(asking.recv(ANSWER_BYTES))


@functools.cache
def _warm() -> socket.socket:
    """Starts the warm process; it ends when the last end of its socket is closed, which is at our end."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        its.set_inheritable(True)
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "tests.support.warm", str(its.fileno()), str(ROOT)],
            {**_OURS, "PYTHONPATH": str(ROOT)},
        )
    return ours
