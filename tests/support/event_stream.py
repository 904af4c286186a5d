"""Server-sent events as a client reads them, by the rules of the HTML standard."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Heard:
    """An event; `id` is None where it had none."""

    kind: str
    data: Any
    id: str | None


@contextlib.contextmanager
def heard(client: httpx.Client, path: str, last: str | None = None) -> Iterator[Iterator[Heard]]:
    """The events of a stream, for as long as the block goes on."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Heard]:
    kind, data, id_ = "message", "", None
    for line in lines:
        name, _, value = line.partition(": ")
        if not line:
            if data:
                yield Heard(kind, json.loads(data), id_)
            kind, data, id_ = "message", "", None
        elif name == "event":
            kind = value
        elif name == "data":
            data += value
        elif name == "id":
            id_ = value


def applied(standing: dict[str, Any], event: Heard) -> None:
    """Brings what is known of jobs up to date, as any client would."""
    if event.kind == "reset":
        standing.clear()
    elif event.kind == "change":
        standing[event.data["job"]].update(event.data)
    else:
        standing[event.data["job"]] = dict(event.data)
