"""Parses just enough of the Redis protocol (RESP2) to find the end and the name of a request."""

from cancellist.jobs.ledger.scripts.loader import NAMES, Script

_SCRIPTS = {Script(name).sha.encode(): name for name in NAMES}
_CRLF = b"\r\n"


class Values:
    """Splits a stream of bytes into complete values."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Adds bytes and returns the values that are complete now."""
        self._buffer += data
        values, at = [], 0
        while (end := _end(self._buffer, at)) is not None:
            values.append(self._buffer[at:end])
            at = end
        self._buffer = self._buffer[at:]
        return values


def _end(buffer: bytes, at: int) -> int | None:
    """Returns the end of the value that starts at `at`; None if it is not complete."""
    line = buffer.find(_CRLF, at)
    if line < 0:
        return None
    kind, after = buffer[at : at + 1], line + len(_CRLF)
    if kind == b"$":
        size = int(buffer[at + 1 : line])
        end = after if size < 0 else after + size + len(_CRLF)
        return end if end <= len(buffer) else None
    if kind == b"*":
        place: int | None = after
        for _ in range(int(buffer[at + 1 : line])):
            place = _end(buffer, place)
            if place is None:
                return None
        return place
    return after


def point_of(request: bytes) -> str:
    """Returns the name of a request: of its script, such as `settle`, or its command, such as `EXEC`."""
    words = []
    place = request.find(_CRLF) + len(_CRLF)
    while place < len(request) and len(words) < 2:
        line = request.find(_CRLF, place)
        size = int(request[place + 1 : line])
        words.append(request[line + len(_CRLF) : line + len(_CRLF) + size])
        place = line + 2 * len(_CRLF) + size
    name = words[0].decode().upper()
    return _SCRIPTS.get(words[1], name) if name == "EVALSHA" else name
