"""Server-sent events from blocks of bytes.

The form is that of the HTML standard, section 9.2, with lines ended by LF or CRLF. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `id` is where the stream can be taken up again."""

    name: str
    data: str
    id: str | None


@dataclass(slots=True)
class EventParser:
    """Makes events of blocks, wherever these are cut."""

    _rest: bytes = b""
    _name: str = ""
    _data: list[str] = field(default_factory=list[str])
    _id: str | None = None

    def feed(self, block: bytes) -> Iterator[Event]:
        """Takes the next block; yields the events that it completes."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text:
                self._take(text)
            elif self._data:
                yield self._completed()
            else:
                self._name = ""

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case _:  # a comment, which keeps the connection alive, or a field that is none
                pass

    def _completed(self) -> Event:
        event = Event(self._name or "message", "\n".join(self._data), self._id)
        self._name, self._data = "", []
        return event
