"""A simulated Consignments platform, fast enough not to limit the measurement.

    python bench/simulator.py --latency-ms 50 --jitter-ms 0 --port 0

prints one line of JSON (`url`, `pid`) when it listens, and ends on SIGTERM or SIGINT. It answers every reference with
success, in the words and the layout of the platform, each call `latency` after its request's last byte and never
earlier. References that begin with `EC-ZZ` it refuses, all in the same words, and reads as Manifested. It keeps no
consignments: the sandbox does that. What it keeps is counts:

    GET /stats      calls (lists, singles, reads), references, calls in flight and their peak, and the monotonic
                    times (seconds, the machine's clock, so comparable between processes) of the first request's last
                    byte and of the last answer
    POST /reset     starts the counts anew; `?latency_ms=` and `?jitter_ms=` change the latency as well
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs

import uvloop

from bench.alarm import Alarm

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
LIST_REQUEST = b"PUT /consignments/cancellist "

ANSWER_HEAD = b'{"IsSuccess": true, "Message": "Consignment cancellation completed successfully", "Data": "'
ANSWER_TAIL = b'", "ApiLinks": null}'
REFUSED = b"EC-ZZ"
REFUSED_HEAD = b'{"IsSuccess": false, "Message": "Consignment cancellation failed", "Data": "'
ANSWER_JOINT = ANSWER_TAIL + b", " + ANSWER_HEAD

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
OK_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ERROR = b"HTTP/1.1 %b\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
ERROR_BODY = b'{"Code": "%b", "Message": "%b", "CorrelationId": "00000000-0000-0000-0000-000000000000", "Details": []}'
STATUS_BODY = (
    b'{"ConsignmentReferenceForAllLegsAssignedByMpd": "%b", "Status": "%b", '
    b'"ExpectedDeliveryDate": "2020-06-02T14:20:11.4370803+01:00", '
    b'"ApiLink": {"Rel": "Link", "Href": "/consignments/%b"}}'
)


@dataclass
class Stats:
    """The requests and answers since the last reset."""

    lists: int = 0
    singles: int = 0
    reads: int = 0
    refused: int = 0
    references: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    first_request: float | None = None
    last_answer: float | None = None

    def as_json(self) -> bytes:
        """Return the counts as `GET /stats` answers them."""
        return json.dumps({"calls": self.lists + self.singles + self.reads} | asdict(self)).encode()


@dataclass
class Platform:
    """One platform's settings and counts, shared by its connections."""

    alarm: Alarm
    latency_s: float
    jitter_s: float
    stats: Stats = field(default_factory=Stats)

    def delay_s(self) -> float:
        """Return one call's latency: evenly distributed over the jitter's span, and never below 0."""
        if not self.jitter_s:
            return self.latency_s
        return max(0.0, self.latency_s + random.uniform(-self.jitter_s, self.jitter_s))

    def reset(self, query: dict[str, list[str]]) -> None:
        """Reset the counts, and change the latency if the query asks for it."""
        if "latency_ms" in query:
            self.latency_s = float(query["latency_ms"][0]) / 1000
        if "jitter_ms" in query:
            self.jitter_s = float(query["jitter_ms"][0]) / 1000
        in_flight = self.stats.in_flight
        self.stats = Stats(in_flight=in_flight, peak_in_flight=in_flight)


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; requests may come in pieces, or several in one packet."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._needed = 0  # bytes that must stand in `_unread` before parsing on is of use
        self._last_due = 0.0
        self._pending = 0  # answers that are still to be sent
        self._closing = False  # the caller wants no more after what it has asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to answer on."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the reason
        """Drop the transport: further answers have no receiver."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take every whole request from the received bytes, and keep the rest for the next packet."""
        if self._unread:
            self._unread += data
            if len(self._unread) < self._needed:
                return
            data = bytes(self._unread)
            self._unread.clear()
        start = 0
        while start < len(data) and not self._closing:
            end_of_head = data.find(b"\r\n\r\n", start)
            if end_of_head < 0:
                self._needed = 0
                self._unread += data[start:]
                return
            head = data[start:end_of_head]
            length = CONTENT_LENGTH.search(head)
            end = end_of_head + 4 + (int(length[1]) if length else 0)
            if end > len(data):
                self._needed = end - start
                self._unread += data[start:]
                return
            if CLOSE.search(head):
                self._closing = True
            self._answer(head, data[end_of_head + 4 : end])
            start = end

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(LIST_REQUEST):
            self._answer_rarer(head, body)
            return
        if body[:2] == b'["' and body[-2:] == b'"]' and REFUSED not in body and len(body.split(None, 1)) == 1:
            names = body[2:-2]
            count = names.count(b'","') + 1
            answers = b"[%b%b%b]" % (ANSWER_HEAD, names.replace(b'","', ANSWER_JOINT), ANSWER_TAIL)
        else:  # an empty list, white space between the references, or no list at all
            plain = _read_array(body)
            if plain is None:
                self._refuse(b"400 Bad Request", b"bad_request", b"The body is not a JSON array of references")
                return
            count = len(plain)
            heads = (REFUSED_HEAD if name.startswith(REFUSED) else ANSWER_HEAD for name in plain)
            answers = (
                b"[" + b", ".join(head + name + ANSWER_TAIL for head, name in zip(heads, plain, strict=True)) + b"]"
            )
        self._platform.stats.lists += 1
        self._platform.stats.references += count
        self._schedule(OK_HEAD % (len(answers), answers))

    def _answer_rarer(self, head: bytes, body: bytes) -> None:
        stats = self._platform.stats
        line = head.split(b"\r\n", 1)[0].split(b" ")
        if len(line) != 3:
            self._closing = True
            self._refuse(b"400 Bad Request", b"bad_request", b"Not a request line")
            return
        method, (path, query) = line[0], (line[1].partition(b"?")[::2])
        match method, path.lower().strip(b"/").split(b"/"):
            case b"PUT", [b"consignments", b"cancellist"]:
                self._answer(LIST_REQUEST, body)
            case b"PUT", [b"consignments", _, b"cancel"]:
                stats.singles += 1
                stats.references += 1
                self._schedule(OK_EMPTY)
            case b"GET", [b"consignments", _, b"status"]:
                stats.reads += 1
                reference = path.strip(b"/").split(b"/")[1]
                state = b"Manifested" if reference.startswith(REFUSED) else b"Cancelled"
                status = STATUS_BODY % (reference, state, reference)
                self._schedule(OK_HEAD % (len(status), status))
            case b"GET", [b"stats"]:
                counts = stats.as_json()
                self._write(OK_HEAD % (len(counts), counts))
            case b"POST", [b"reset"]:
                self._platform.reset(parse_qs(query.decode()))
                self._write(OK_EMPTY)
            case _:
                self._refuse(b"404 Not Found", b"not_found", b"No such route")

    def _refuse(self, status: bytes, code: bytes, message: bytes) -> None:
        self._platform.stats.refused += 1
        body = ERROR_BODY % (code, message)
        self._schedule(ERROR % (status, len(body), body))

    def _schedule(self, answer: bytes) -> None:
        """Send `answer` at its time; answers on one connection keep the order of their requests."""
        platform = self._platform
        stats = platform.stats
        now = time.monotonic()
        if stats.first_request is None:
            stats.first_request = now
        self._pending += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        delay_s = platform.delay_s()
        if delay_s or self._last_due > now:
            self._last_due = max(now + delay_s, self._last_due)
            platform.alarm.set(self._last_due, self, answer)
        else:
            self.send(answer)

    def send(self, answer: bytes) -> None:
        """Write the answer of a call in flight. A call whose caller has gone counts as answered, too."""
        stats = self._platform.stats
        self._pending -= 1
        stats.in_flight -= 1
        stats.last_answer = time.monotonic()
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)
            if self._closing and not self._pending:
                self._transport.close()


def _item(name: bytes) -> bytes:
    return (REFUSED_HEAD if name.startswith(REFUSED) else ANSWER_HEAD) + name + ANSWER_TAIL


def _read_array(body: bytes) -> list[bytes] | None:
    """Return the strings of a JSON array in any layout, which is slower; None where it is something else."""
    try:
        references = json.loads(body)
    except ValueError:
        return None
    if not isinstance(references, list) or not all(isinstance(reference, str) for reference in references):
        return None
    return [json.dumps(reference).encode()[1:-1] for reference in references]


async def serve(host: str, port: int, latency_s: float, jitter_s: float) -> None:
    """Print the address on stdout, then answer until a signal to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    platform = Platform(Alarm(loop), latency_s, jitter_s)
    server = await loop.create_server(lambda: Connection(platform), host, port, backlog=4096)
    bound = server.sockets[0].getsockname()
    print(json.dumps({"url": f"http://{bound[0]}:{bound[1]}", "pid": os.getpid()}), flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated platform for benchmarks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="from a request's last byte to its answer")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="how far a latency may lie to either side")
    options = parser.parse_args()
    uvloop.run(serve(options.host, options.port, options.latency_ms / 1000, options.jitter_ms / 1000))


if __name__ == "__main__":
    main()
