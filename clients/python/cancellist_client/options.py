"""What is asked for beside the references, checked before anything is sent."""

import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from cancellist_client.errors import wrong
from cancellist_client.models import Priority

MAX_TEXT: Final = 500
"""Characters of a text, as the server has it."""
When = str | datetime | timedelta
"""A time with an offset, or a span from when the server takes the job in; as text RFC 3339, or such as `+2h`."""

_SPAN: Final = re.compile(r"\+(?:\d+(?:\.\d+)?[smhdw])+", re.IGNORECASE | re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TEXTS: Final = ("reason", "requested_by", "account", "idempotency_key")
_OF_JOBS: Final = (
    *_TEXTS, "priority", "deadline", "start_at", "hold", "max_refused", "max_unconfirmed", "canary", "snapshot",
    "override", "host", "max_invalid", "plan", "expect_count",
)  # fmt: skip
_GUARDS: Final = ("hold", "max_refused", "max_unconfirmed", "override", "host", "plan")
"""Texts that guard a job: an empty one has lost its value."""
_OF_RETRIES: Final = ("reason", "requested_by", "priority", "deadline", "start_at", "snapshot", "override", "host")
_OF_FILES: Final = ("column", "delimiter", "header", "skip_lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All options of a submission as the server reads them; None is not sent."""

    idempotency_key: str
    reason: str | None = None
    requested_by: str | None = None
    priority: str | None = None
    deadline: str | None = None
    start_at: str | None = None
    account: str | None = None
    hold: str | None = None
    max_refused: str | None = None
    max_unconfirmed: str | None = None
    canary: str | None = None
    snapshot: str | None = None
    override: str | None = None
    host: str | None = None
    plan: str | None = field(default=None, repr=False)
    expect_count: str | None = None
    max_invalid: str | None = None
    column: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    skip_lines: int | None = None

    def of_job(self) -> dict[str, str]:
        """Those that hold for any input."""
        return {name: value for name in _OF_JOBS if (value := getattr(self, name)) is not None}

    def of_retry(self) -> dict[str, str]:
        """Those that hold for a job that is retried."""
        return {name: value for name in _OF_RETRIES if (value := getattr(self, name)) is not None}

    def of_file(self) -> dict[str, str]:
        """Those that say how a file is read."""
        given = {name: value for name in _OF_FILES if (value := getattr(self, name)) is not None}
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def options(
    *,
    reason: str | None = None,
    requested_by: str | None = None,
    priority: str | None = None,
    deadline: When | None = None,
    start_at: When | None = None,
    account: str | None = None,
    idempotency_key: str | None = None,
    hold: str | timedelta | None = None,
    max_refused: str | int | None = None,
    max_unconfirmed: str | int | None = None,
    canary: int | None = None,
    snapshot: bool = False,
    override: str | None = None,
    host: str | None = None,
    plan: str | None = None,
    expect_count: int | None = None,
    max_invalid: str | int | None = None,
    column: str | int | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    skip_lines: int | None = None,
) -> Options:
    """Checks what a caller asks for, and draws an idempotency key where none is given.

    Raises:
        InputError: something cannot be meant so.
    """
    checked = Options(
        idempotency_key=secrets.token_hex(16) if idempotency_key is None else idempotency_key,
        reason=reason,
        requested_by=requested_by,
        priority=_priority(priority),
        deadline=_when("deadline", deadline),
        start_at=_when("start_at", start_at),
        account=account,
        hold=f"{hold.total_seconds():.3f}" if isinstance(hold, timedelta) else hold,
        max_refused=None if max_refused is None else str(max_refused),
        max_unconfirmed=None if max_unconfirmed is None else str(max_unconfirmed),
        canary=None if canary is None else str(canary),
        snapshot="true" if snapshot else None,
        override=override,
        host=host,
        plan=plan,
        expect_count=None if expect_count is None else str(expect_count),
        max_invalid=None if max_invalid is None else str(max_invalid),
        column=None if column is None else str(column),
        delimiter=delimiter,
        header=header,
        skip_lines=skip_lines,
    )
    for name in (*_TEXTS, "override", "host"):
        _check_text(name, getattr(checked, name))
    for name in ("account", *_GUARDS):
        text: object = getattr(checked, name)
        if isinstance(text, str) and not text.strip():
            raise wrong(name, "it is empty: leave it out")
    key = checked.idempotency_key
    if not (key and key.isascii() and key.isprintable() and key == key.strip()):
        raise wrong("idempotency_key", "use ASCII characters that can be printed, without blanks around them")
    return checked


class Keep(Enum):
    """What is left as it is, where None means something of its own."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


def changes(priority: str | None, deadline: When | Keep | None) -> dict[str, str | None]:
    """What is to be changed of a job, as the server reads it.

    Raises:
        InputError: something cannot be meant so, or nothing is to be changed.
    """
    found: dict[str, str | None] = {}
    if priority is not None:
        found["priority"] = _priority(priority)
    if not isinstance(deadline, Keep):
        found["deadline"] = _when("deadline", deadline)
    if not found:
        raise wrong("priority", "give a priority, a deadline, or both")
    return found


def _check_text(name: str, text: object) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise wrong(name, f"give a text, not {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise wrong(name, f"it is longer than {MAX_TEXT} characters")


def _priority(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return Priority(text).value
    except ValueError:
        raise wrong("priority", f"it is none of {', '.join(Priority)}") from None


def _when(name: str, when: When | None) -> str | None:
    match when:
        case None:
            return None
        case datetime():
            if when.utcoffset() is None:
                raise wrong(name, "the time has no offset from UTC: say datetime.now(UTC), or when.astimezone()")
            return when.isoformat()
        case timedelta():
            if when <= timedelta():
                raise wrong(name, "the span leads into the past")
            return f"+{when / timedelta(seconds=1):.3f}s"
        case str():
            if not (_SPAN.fullmatch(when.strip()) or _INSTANT.fullmatch(when.strip())):
                raise wrong(name, "write a time with an offset, such as 2026-11-30T18:00:00Z, or a span such as +2h")
            return when.strip()
        case _:
            raise wrong(name, f"give a datetime, a timedelta or a text, not {type(when).__name__}")
