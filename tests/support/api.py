"""The HTTP API as a process, and clients of it, each with the token of its role."""

import contextlib
import json
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from cancellist.jobs.access import ALL, Access, Token, digest_of
from tests.support.commands import Desk

WITHIN_S: Final = 40
EVERY: Final = "all-roles-token"
OF_ROLE: Final = {role: f"{role.value}-role-token" for role in Access}
TOKENS: Final = ",".join(
    [Token("every", ALL, digest_of(EVERY)).setting]
    + [Token(f"only-{role.value}", frozenset({role}), digest_of(token)).setting for role, token in OF_ROLE.items()]
)


@dataclass
class Api:
    """A `cancellist serve` that runs, and who calls it."""

    desk: Desk
    url: str
    process: "subprocess.Popen[str]"
    _clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def client(self, token: str | None = EVERY, **options: Any) -> httpx.Client:
        """A client with a token, or without one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(base_url=self.url, headers=headers, timeout=WITHIN_S, trust_env=False, **options)
        return self._clients.enter_context(made)

    @property
    def memory(self) -> int:
        """Bytes of the process that are resident."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def ended(self, client: httpx.Client, job: str) -> Any:
        """The document of a job once it has ended."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            document = client.get(f"/v1/jobs/{job}").raise_for_status().json()
            if document["finished_at"]:
                return document
            assert time.monotonic() < deadline, document
            time.sleep(0.05)


@contextlib.contextmanager
def serving(desk: Desk, *options: str, log: Path | None = None, **settings: str) -> Iterator[Api]:
    """Runs `cancellist serve` on a free port while the block does; its log goes to a file."""
    log = log or desk.folder / "serve.log"
    given = {"api_tokens": TOKENS, "log_format": "json", "serve_rate": "100000"} | settings
    with log.open("ab") as err:
        process = subprocess.Popen(
            desk.command("serve", "--port", "0", "--json", *options), cwd=desk.folder,
            env=desk.environment(**given), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, text=True,
            start_new_session=True,
        )  # fmt: skip
    try:
        assert process.stdout
        assert select.select([process.stdout], [], [], WITHIN_S)[0], log.read_text()
        line = process.stdout.readline()
        assert line, log.read_text()
        api = Api(desk, json.loads(line)["url"], process)
        with api._clients:
            yield api
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
