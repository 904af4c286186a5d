"""Snapshots: the platform's records of consignments before they were cancelled, and the form of their files.

A file holds records of one job, as one worker kept them. It begins with a line of JSON that says so. Then come records,
each with its length before it: 4 bytes, then a nonce, and the encrypted entry with its tag. What is authenticated
beside an entry is the file's first line and the place of the entry in the file. So no entry can be changed, moved, or
put into another file. A file that ends within a record was cut off as it was written: that record was not kept.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.answer_forms import field

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
SUFFIX: Final = ".snapshots"
_LENGTH_BYTES: Final = 4
_SHORTEST: Final = NONCE_BYTES + 16
_LONGEST: Final = 64 * 1024 * 1024
_LONGEST_HEADER: Final = 1000
_OLDEST_S: Final = 60.0
_VERSION: Final = 1
_NAME: Final = re.compile(r"([0-9A-Za-z]{1,20})\.[0-9A-Za-z_-]{1,80}\.[0-9a-f]{8}\.snapshots", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """The record of one consignment before one call of a job.

    Attributes:
        at_ms: when it was read, Unix milliseconds.
        host: the platform's host that it was read from.
        called: whether an earlier call of the job may have acted on it by then.
        record: what the platform told.
    """

    job: str
    reference: str
    at_ms: int
    account: str
    host: str
    worker: str
    called: bool
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a file; `key` tells by which key it was written, and not what the key is."""

    job: str
    worker: str
    key: str

    def line(self) -> bytes:
        """As it stands in the file."""
        document = {"snapshots": _VERSION, "job": self.job, "worker": self.worker, "key": self.key}
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def parse_header(line: bytes) -> Header:
    """Reads the first line of a file.

    Raises:
        ValueError: it is none.
    """
    try:
        document = json.loads(line)
        version, header = document["snapshots"], Header(document["job"], document["worker"], document["key"])
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is no file of snapshots") from None
    if version != _VERSION:
        raise ValueError("a newer version wrote it: use that version")
    if header.line() != line:
        raise ValueError("its first line was altered")
    return header


def read_header(read_line: Callable[[int], bytes]) -> tuple[Header, bytes]:
    """Reads the first line from a file that is open; returns it as it stands, too.

    Raises:
        ValueError: there is none.
    """
    line = read_line(_LONGEST_HEADER)
    return parse_header(line), line


def key_id(key: bytes) -> str:
    """What tells one key from another in the first line of a file."""
    return hashlib.sha256(b"cancellist snapshots " + key).hexdigest()[:16]


def authenticated(line: bytes, place: int) -> bytes:
    """What is authenticated beside an entry: the file's first line, and the entry's place in the file, from 0."""
    return line + place.to_bytes(8, "big")


def framed(sealed: bytes) -> bytes:
    """A record as it stands in a file."""
    return len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed


def next_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next record of a file; None at its end.

    Raises:
        EOFError: the file ends within a record, or what follows is none.
    """
    length = read(_LENGTH_BYTES)
    if not length:
        return None
    size = int.from_bytes(length, "big")
    if len(length) < _LENGTH_BYTES or not _SHORTEST <= size <= _LONGEST:
        raise EOFError
    sealed = read(size)
    if len(sealed) < size:
        raise EOFError
    return sealed


def encoded(entry: Entry) -> bytes:
    """An entry before it is encrypted."""
    document = {name: getattr(entry, name) for name in Entry.__slots__}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(text: bytes) -> Entry:
    """An entry after it was decrypted.

    Raises:
        ValueError: it has another form.
    """
    try:
        document = json.loads(text)
        return Entry(**{name: document[name] for name in Entry.__slots__})
    except (KeyError, TypeError):
        raise ValueError("the entry has another form") from None


def file_name(job: str, worker: str, salt: str) -> str:
    """The name of the file of a job and a worker; `salt` is 8 hexadecimal digits that no other such file has."""
    safe = re.sub(r"[^0-9A-Za-z_-]", "-", worker)[:80] or "worker"
    return f"{job}.{safe}.{salt}{SUFFIX}"


def job_of(name: str) -> str | None:
    """The job that a file with this name belongs to; None where the name is another."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def fit(reference: str, answer: Answer | Failure) -> Mapping[str, Any] | None:
    """The record in an answer; None unless it is surely that of the reference, and fresh."""
    match answer:
        case Answer(status=200, body=dict() as body, age_s=age_s) if age_s <= _OLDEST_S:
            named, state = field(body, "Reference"), field(body, "ConsignmentState")
            if isinstance(named, str) and normalise(named) == reference and isinstance(state, str) and state.strip():
                return body
            return None
        case _:
            return None


def chosen(entries: Iterable[Entry]) -> Entry | None:
    """The entry of a reference that shows it as it was before the job acted on it.

    That is the newest before the first call that may have acted. Where there is none, the oldest comes nearest.
    """
    found = sorted(entries, key=lambda entry: entry.at_ms)
    before = [entry for entry in found if not entry.called]
    return before[-1] if before else found[0] if found else None
