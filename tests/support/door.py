"""Commands of shell scripts without the time that their imports take: `cancellist` on their PATH asks here for each.

What stands on the PATH is a small program. It hands over its arguments, environment, folder and streams, and ends as
the command ends. Where it is ended first, the command gets SIGTERM.
"""

import contextlib
import json
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT, processes

AT_MOST_BYTES, STREAMS = 150_000, 3
_ASKS = """\
#!{python} -IS
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect("\\0" + "{name}")
    text = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()])
    socket.send_fds(door, [text.encode()], [0, 1, 2])
    status = int(door.recv(20))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextlib.contextmanager
def door(folder: Path) -> Iterator[Path]:
    """Answers a folder for a script's PATH; while the block runs, `cancellist` there is a copy of the warm process."""
    if processes.ALL_REAL:
        yield Path(sys.executable).parent
        return
    processes.warm_up()  # started later, it would keep streams of scripts open, whose ends are waited for
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
        asked.bind("")  # the system gives it a name
        asked.listen()
        folder.mkdir()
        program = folder / "cancellist"
        program.write_text(_ASKS.format(python=sys.executable, name=asked.getsockname()[1:].decode()))
        program.chmod(0o755)
        opener = threading.Thread(target=_open, args=(asked,))
        opener.start()
        try:
            yield folder
        finally:
            asked.shutdown(socket.SHUT_RDWR)
            opener.join()


def _open(asked: socket.socket) -> None:
    """Serves each who asks until nobody can; then waits for the last of them."""
    served = []
    with contextlib.suppress(OSError):
        while True:
            who, _ = asked.accept()
            served.append(threading.Thread(target=_serve, args=(who,)))
            served[-1].start()
    for one in served:
        one.join()


def _serve(who: socket.socket) -> None:
    """Runs a command, and tells its exit status."""
    with who:
        text, streams, _, _ = socket.recv_fds(who, AT_MOST_BYTES, STREAMS)
        arguments, given, folder = json.loads(text)
        environment = {"PYTHONPATH": str(ROOT), **given}
        try:
            process = processes.Popen(
                [sys.executable, "-m", "cancellist", *arguments], cwd=folder, env=environment,
                stdin=streams[0], stdout=streams[1], stderr=streams[2],
            )  # fmt: skip
        finally:
            for stream in streams:
                os.close(stream)
        ended = os.pidfd_open(process.pid)
        try:
            if ended not in select.select([ended, who], [], [])[0]:
                process.terminate()
            status = process.wait()
        finally:
            os.close(ended)
        with contextlib.suppress(OSError):  # it was ended first
            who.send(str(status).encode())
