"""A PostgreSQL server of a test's own, on a unix socket alone, ended by its pid."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

USERS = ("postgres", "nobody")
"""Who may run it where the tests run as root, whom PostgreSQL refuses."""
SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB")


def binary(name: str) -> str:
    """One of its commands, which Debian does not put on the PATH."""
    folders = [os.environ["PATH"], *(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if not found:
        raise RuntimeError("PostgreSQL is missing: `make test` installs it, or `apt-get install postgresql`")
    return found


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Runs a server for a block; answers the address of a database of it."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's own folders are closed to other users
    try:
        own = _owner(folder)
        made = subprocess.run(
            [binary("initdb"), "--auth=trust", "--username=tests", "--no-sync", "--encoding=UTF8", "--locale=C",
             "data"],
            cwd=folder, capture_output=True, text=True, check=False, **own,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with _serving(folder, own):
            yield f"postgresql://tests@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _serving(folder: Path, own: dict[str, Any]) -> Iterator[None]:
    options = [word for setting in (*SETTINGS, f"unix_socket_directories={folder}") for word in ("-c", setting)]
    process = subprocess.Popen(
        [binary("postgres"), "-D", "data", *options], cwd=folder, stderr=subprocess.PIPE, text=True, **own
    )
    try:
        assert process.stderr
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError(f"PostgreSQL did not start: {''.join(said)}")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # it ends its connections, and then itself
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _owner(folder: Path) -> dict[str, Any]:
    """What makes a process run as somebody who owns this folder, and may run a server."""
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = next(known[name] for name in USERS if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
