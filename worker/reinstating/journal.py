"""The file of reinstatements: for each old consignment what was begun, and the new one that came of it.

Each line is a JSON object, and is on the disk before a request is sent. So this file knows what a server that lost its
last second does not. It holds references, and nothing of the records. Whatever else is in the folder, it stays.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cancellist.jobs.errors import OutputError
from cancellist.jobs.times import parse_when_ms, rfc3339

_BEGINNING: Final = b'{"at":'
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Event(StrEnum):
    """What a line tells of an attempt."""

    SENDING = "sending"
    CREATED = "created"
    UNCONFIRMED = "unconfirmed"
    NOT_CREATED = "not_created"


@dataclass(frozen=True, slots=True)
class Noted:
    """What the last line of a consignment tells."""

    event: Event
    attempt: str
    at_ms: int
    new: str | None


class Journal:
    """The file of one account.

    Args:
        folder: where it is.
        account: its name.
        about: what each line says beside: the run, the host, who runs it.
    """

    def __init__(self, folder: Path, account: str, about: Mapping[str, str]) -> None:
        self.path = folder / f"reinstated.{account}.jsonl"
        self._about = {"account": account, **about}
        self._lock = threading.Lock()

    def read(self) -> dict[str, Noted]:
        """What it tells of each consignment. A last line that was cut off as it was written is left out.

        Raises:
            OutputError: it cannot be read, or a line is damaged: then nobody knows what was created.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from None
        lines = text.split(b"\n")
        whole = lines[:-1]
        noted: dict[str, Noted] = {}
        for number, line in enumerate(whole, 1):
            found = _read(line)
            if found:
                noted[found[0]] = found[1]
            elif line and not _is_cut(line):
                raise self._unusable(f"line {number} is damaged")
        return noted

    def seal(self) -> Mapping[str, Any]:
        """What a receipt says of it as it is now: its name, and the length and the hash of its whole lines.

        Raises:
            OutputError: it cannot be read.
        """
        try:
            text = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from None
        whole = text[: text.rfind(b"\n") + 1]
        return {"name": self.path.name, "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}

    def check(self) -> None:
        """Looks whether it can be written.

        Raises:
            OutputError: it cannot.
        """
        try:
            os.close(os.open(self.path, _APPEND, 0o600))
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from None

    def write(
        self, event: Event, reference: str, attempt: str, *, at_ms: int, job: str = "", new: str | None = None,
        why: str | None = None,
    ) -> None:  # fmt: skip
        """Adds a line, and waits until it is on the disk.

        Raises:
            OutputError: it is not.
        """
        document: dict[str, Any] = {
            "at": rfc3339(at_ms), "event": event, "reference": reference, "new_reference": new, "attempt": attempt,
            "job": job or None, "message": why, **self._about,
        }  # fmt: skip
        line = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from None

    def _append(self, line: bytes) -> None:
        handle = os.open(self.path, _APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            cut = size and os.pread(handle, 1, size - 1) != b"\n"  # a line that was cut off stays a line of its own
            text = b"\n" + line if cut else line
            if os.write(handle, text) != len(text):
                raise OSError(0, "the line was cut off as it was written")
            os.fsync(handle)
        finally:
            os.close(handle)
        if not size:  # the file is new: its name must be on the disk, too
            self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _unusable(self, why: str) -> OutputError:
        return OutputError(
            f"{self.path}, the file of what was created, cannot be used: {why}",
            hint="no consignment is created without it",
        )


def _read(line: bytes) -> tuple[str, Noted] | None:
    try:
        h = json.loads(line)
        at_ms = parse_when_ms(h["at"], now_ms=0)
        return h["reference"], Noted(Event(h["event"]), h["attempt"], at_ms, h["new_reference"])
    except (ValueError, KeyError, TypeError):
        return None


def _is_cut(line: bytes) -> bool:
    """Whether a line is the beginning of one: its request was not sent, since it was not on the disk."""
    return (line.startswith(_BEGINNING) or _BEGINNING.startswith(line)) and not line.endswith(b"}")
