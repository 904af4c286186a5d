"""A primary, a replica and three sentinels, with automatic failover."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from tests.support import processes
from tests.support.ports import free_port
from tests.support.servers import Server, binary, running, spawn

SERVICE = "mymaster"
DOWN_AFTER_MS = 500


@dataclass
class Watched:
    """A primary, a replica and their sentinels."""

    servers: tuple[Server, Server]
    ports: tuple[int, int]
    sentinels: tuple[int, ...]

    @property
    def url(self) -> str:
        """The URL by which clients find the current primary."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{places}/{SERVICE}"

    def primary(self) -> int:
        """Returns the port of the primary, as the first sentinel reports it."""
        with Redis(port=self.sentinels[0], decode_responses=True) as redis:
            return int(redis.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def cut_replica_off(self) -> None:
        """Cuts the replica off from its primary. The sentinels still reach it."""
        self.servers[1].command_line("CONFIG", "SET", "masterauth", "refused")
        self.servers[0].command_line("CLIENT", "KILL", "TYPE", "replica")

    def ready(self) -> bool:
        """Returns whether a failover would succeed: each sentinel knows the others and the synchronised replica."""
        for port in self.sentinels:
            with Redis(port=port, decode_responses=True) as redis:
                state = redis.execute_command("SENTINEL", "MASTER", SERVICE)
                facts = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
                if int(facts["num-slaves"]) < 1 or int(facts["num-other-sentinels"]) < len(self.sentinels) - 1:
                    return False
        return "state=online" in str(self.servers[0].command_line("INFO", "replication")).replace("'", "").replace(
            ": ", "="
        )


@contextlib.contextmanager
def watched(kind: str, folder: Path) -> Iterator[Watched]:
    """Runs all of them for a block."""
    ports = [free_port() for _ in range(5)]
    listening = ("--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(running(kind, folder / "a", "--port", str(ports[0]), *listening, fsync="always"))
        follow = ("--replicaof", "127.0.0.1", str(ports[0]))
        second = stack.enter_context(
            running(kind, folder / "b", "--port", str(ports[1]), *listening, *follow, fsync="always")
        )
        for port in ports[2:]:
            stack.enter_context(_sentinel(kind, folder, port, ports[0]))
        both = Watched((first, second), (ports[0], ports[1]), tuple(ports[2:]))
        deadline = time.monotonic() + 20
        while not both.ready():
            assert time.monotonic() < deadline, "the sentinels do not find one another"
            time.sleep(0.1)
        yield both


@contextlib.contextmanager
def _sentinel(kind: str, folder: Path, port: int, primary: int) -> Iterator[None]:
    file = folder / f"sentinel{port}.conf"
    lines = [
        f"port {port}", "bind 127.0.0.1", f"dir {folder}", f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
        f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}", f"sentinel failover-timeout {SERVICE} 5000",
    ]  # fmt: skip
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    process = spawn([binary(kind), str(file), "--sentinel"])
    try:
        deadline = time.monotonic() + 10
        while True:
            assert process.poll() is None, "the sentinel ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        processes.end(process)
