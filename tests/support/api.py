"""The HTTP API as a process, and clients of it, each with the token of its role."""

import contextlib
import json
import select
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from cancellist.api.problem_kinds import KINDS
from cancellist.jobs.access import ALL, Access, Token, digest_of
from tests.support import processes
from tests.support.commands import Desk
from tests.support.declared import Description
from tests.support.waiting import soon

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
    log: Path
    tls: ssl.SSLContext | None = None
    _clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def client(self, token: str | None = EVERY, **options: Any) -> httpx.Client:
        """A client with a token, or without one; each answer that it gets must be declared."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(
            base_url=self.url, headers=headers, timeout=WITHIN_S, trust_env=False,
            event_hooks={"response": [self.description.check]}, **options,
        )  # fmt: skip
        return self._clients.enter_context(made)

    @cached_property
    def description(self) -> Description:
        """What the process says of itself."""
        verify = self.tls or True
        answer = httpx.get(f"{self.url}/openapi.json", timeout=WITHIN_S, trust_env=False, verify=verify)
        return Description(answer.raise_for_status().json())

    @property
    def memory(self) -> int:
        """Bytes of the process that are resident."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def results(self, client: httpx.Client, job: str) -> list[Any]:
        """All results of a job once it has ended."""
        self.ended(client, job)
        found, cursor = [], ""
        while cursor is not None:
            page = client.get(f"/v1/jobs/{job}/results", params={"cursor": cursor} if cursor else {}).json()
            found += page["results"]
            cursor = page["next"]
        return found

    def ended(self, client: httpx.Client, job: str) -> Any:
        """The document of a job once it has ended."""
        return soon(
            lambda: client.get(f"/v1/jobs/{job}").raise_for_status().json(), lambda seen: seen["finished_at"], WITHIN_S
        )


def problem(answer: httpx.Response, code: str) -> Any:
    """The document of an answer that must be a problem of this kind, by the book."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    kind = KINDS[code]
    assert (document["type"], answer.status_code) == (kind.type, kind.status), document
    assert document["status"] == answer.status_code
    assert document["title"] == kind.title
    assert document["detail"]
    assert "\n" not in document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == kind.retry
    return document


@contextlib.contextmanager
def serving(
    desk: Desk,
    *options: str,
    log: Path | None = None,
    tmpdir: Path | None = None,
    from_nothing: bool = False,
    **settings: str,
) -> Iterator[Api]:
    """Runs `cancellist serve` on a free port while the block does; its log goes to a file.

    A test that measures its memory starts it `from_nothing`: a copy has free memory of the first process.
    """
    own = {"TMPDIR": str(tmpdir)} if tmpdir else {}
    log = log or desk.folder / "serve.log"
    given = {"api_tokens": TOKENS, "log_format": "json", "serve_rate": "100000"} | settings
    with log.open("ab") as err:
        process = (subprocess if from_nothing else processes).Popen(
            desk.command("serve", "--port", "0", "--json", *options), cwd=desk.folder,
            env=desk.environment(**given) | own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
            text=True, start_new_session=True,
        )  # fmt: skip
    try:
        assert process.stdout
        assert select.select([process.stdout], [], [], WITHIN_S)[0], log.read_text()
        line = process.stdout.readline()
        assert line, log.read_text()
        api = Api(desk, json.loads(line)["url"], process, log)
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
