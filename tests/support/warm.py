"""A process that has imported the program, and becomes a command for each that asks: `warm.py SOCKET`.

Most of what a short command does is to import. Here that is done once: a command is a copy of this process, made by the
system as any process is, with its own arguments, environment, folder and streams. It runs as `python -m` runs it, and
ends as Python ends. It is a child of whoever asked, not of this process: that one waits for it and sees its status.
"""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import platform
import runpy
import signal
import socket
import sys
import termios
import threading
from typing import Any

from tests.support import hanging

AT_MOST_BYTES, ANSWER_BYTES = 150_000, 20
STREAMS = 3
CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
"""The number of the system call; without it there is no such process here."""

_CLONE_PARENT = 0x8000
_ENTRIES = {"cancellist.__main__", "cancellist.cli.__main__", "cancellist.sandbox.__main__", "cancellist.worker.main"}
"""They do things as they are imported."""
_OTHERS = ("aiohttp.web", "arq.cli", "arq.worker", "rich.console", "rich.live", "rich.progress", "rich.table", "uvloop")


def serve(ours: socket.socket) -> dict[str, Any]:
    """Copies this process for each request until nobody can ask any more.

    Ctrl-C is blocked, not ignored: this process ends with who asks, and a copy gets what came before it was ready.

    Returns:
        The request, in the copy; this process never returns.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    while True:
        text, streams, _, _ = socket.recv_fds(ours, AT_MOST_BYTES, STREAMS)
        if not text:
            os._exit(0)
        pid = _copy()
        if pid == 0:
            ours.close()
            request: dict[str, Any] = json.loads(text)
            _take(request, streams)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            return request
        for stream in streams:
            os.close(stream)
        ours.send(str(pid).encode())


def _copy() -> int:
    """As `os.fork`, but the copy's parent is ours."""
    python, libc = ctypes.pythonapi, ctypes.PyDLL(None)
    python.PyOS_BeforeFork()
    pid: int = libc.syscall(CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def _take(request: dict[str, Any], streams: list[int]) -> None:
    """Makes this process what was asked for."""
    if request["session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(STREAMS, max(streams) + 1)
    if request["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.argv = request["arguments"]
    sys.path[0] = request["folder"]
    for number in request["closed"]:
        os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        opened = _opened(number, getattr(sys, name))
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    gc.enable()


def _opened(number: int, before: Any) -> Any:
    """A standard stream, as Python makes it when it starts; none where it is closed."""
    try:
        os.fstat(number)
    except OSError:
        return None
    buffering = 1 if before.line_buffering or os.isatty(number) else -1
    mode = "w" if before.writable() else "r"
    return open(number, mode, buffering, before.encoding, before.errors, closefd=False)


def warm_up() -> None:
    """Imports the program, and what it imports when it comes to it."""
    package = importlib.import_module("cancellist")
    for module in pkgutil.walk_packages(package.__path__, "cancellist."):
        if module.name not in _ENTRIES:
            importlib.import_module(module.name)
    for name in _OTHERS:
        importlib.import_module(name)
    atexit.register(_keep, dict(sys.modules))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the worker's package has set it
    hanging.tell_when_asked()
    gc.collect()
    gc.freeze()
    gc.disable()


def _keep(modules: dict[str, Any]) -> None:
    """Leaves the modules that all copies share whole at a copy's end: to take them apart takes longer than all else.

    It is the last thing that is done before Python takes apart what there is.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(modules))
    for name in modules.keys() - {"builtins", "sys"}:
        sys.modules.pop(name, None)


def _end_soon(status: object) -> None:
    """Ends this process as Python does, but leaves the memory to the system; comes back where that is not all.

    To take apart what all copies share takes longer than a short command.
    """
    if status is not None and not isinstance(status, int):
        return  # it is written to standard error first
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # whatever says something as it goes says it
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        return
    os._exit((status or 0) & 0xFF)


def main() -> None:
    """Serves at the socket; in a copy, runs what was asked for."""
    with contextlib.closing(socket.socket(fileno=int(sys.argv[1]))) as ours:
        warm_up()
        request = serve(ours)
    ended = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as asked:
        ended = asked
    _end_soon(ended.code if ended else 0)
    if ended:
        raise ended


if __name__ == "__main__":
    main()
