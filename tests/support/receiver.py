"""Receivers of webhooks: real HTTP servers on loopback, and a check of signatures that shares no code with ours."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from cancellist.jobs.ledger.core import Ledger

KEY = base64.b64encode(b"a key of tests, never of anybody").decode()
SETTINGS = {"webhook_key": KEY, "webhook_allow": "127.0.0.0/8"}


@dataclass(frozen=True)
class Got:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Answer = int | tuple[int, dict[str, str]]


@dataclass
class Receiver:
    """A receiver that runs.

    Attributes:
        answer: the status of the answer to a request, perhaps with headers; called in the request's own thread.
        got: what came, by `webhook-id`.
    """

    url: str = ""
    answer: Callable[[Got], Answer] = lambda _: 200
    got: dict[str, list[Got]] = field(default_factory=lambda: defaultdict(list))
    came: threading.Event = field(default_factory=threading.Event)


def verified(got: Got, secret: str) -> bool:
    """Whether one of its signatures is that of the secret, by the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = got.headers["webhook-id"] + "." + got.headers["webhook-timestamp"] + "." + got.body.decode()
    wanted = base64.b64encode(hmac.new(key, content.encode(), hashlib.sha256).digest()).decode()
    versions = [one.split(",", 1) for one in got.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(wanted, signature) for version, signature in versions)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Runs a receiver for a block."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.got[got.id].append(got)
            receiver.came.set()
            answer = receiver.answer(got)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            with contextlib.suppress(OSError):  # whoever asked has gone
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(10)


async def make_due(ledger: Ledger, endpoint: str) -> None:
    """Lets the pauses of all that waits pass."""
    key = ledger.keys.webhook(endpoint, "due")
    for name in await ledger.redis.zrange(key, 0, -1):
        await ledger.redis.zadd(key, {name: 1}, xx=True)
