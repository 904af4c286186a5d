"""What an entry of the intake stream means: a job's order and its references, or why it cannot become one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.model import DEFAULT_ACCOUNT, JobOrder, Priority
from jobs.times import parse_when_ms

_FIELDS = frozenset(
    {"references", "reason", "requested_by", "priority", "deadline", "start_at", "account", "idempotency_key"}
)
_MAX_TEXT = 500


class MalformedEntryError(ValueError):
    """The entry cannot become a job; the text is the reason."""


@dataclass(frozen=True, slots=True)
class IntakeOrder:
    """An order and its references as they came."""

    order: JobOrder
    references: list[str]


def parse_entry(fields: Mapping[str, str], *, now_ms: int, accounts: frozenset[str]) -> IntakeOrder:
    """Reads an entry's fields.

    Args:
        fields: names and values, as they came.
        now_ms: what a span such as `+2h` counts from.
        accounts: those that are served.

    Raises:
        MalformedEntryError: a field is unknown, missing or malformed: a misspelt field must not be passed over.
    """
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise MalformedEntryError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}")
    account = fields.get("account") or DEFAULT_ACCOUNT
    if account not in accounts:
        raise MalformedEntryError(f"no account {account!r} is configured; there is {', '.join(sorted(accounts))}")
    references = _references(fields.get("references", ""))
    if not references:
        raise MalformedEntryError("field 'references' holds no reference; give a JSON array, or one a line")
    for name in ("reason", "requested_by", "idempotency_key"):
        if len(fields.get(name, "")) > _MAX_TEXT:
            raise MalformedEntryError(f"field {name!r} is longer than {_MAX_TEXT} characters")
    order = JobOrder(
        account=account,
        reason=fields.get("reason") or None,
        requested_by=fields.get("requested_by") or None,
        priority=_priority(fields.get("priority")),
        deadline_ms=_when("deadline", fields.get("deadline"), now_ms),
        start_at_ms=_when("start_at", fields.get("start_at"), now_ms),
        idempotency_key=fields.get("idempotency_key") or None,
    )
    return IntakeOrder(order, references)


def _references(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [line for line in text.splitlines() if line.strip()]
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedEntryError(f"field 'references' is not JSON: {error}") from None
    if not all(isinstance(item, str) for item in listed):
        raise MalformedEntryError("field 'references' must be an array of strings")
    return [item for item in listed if item.strip()]


def _priority(text: str | None) -> Priority:
    try:
        return Priority(text.strip().lower()) if text else Priority.NORMAL
    except ValueError:
        raise MalformedEntryError(f"priority {text!r} is none of {', '.join(Priority)}") from None


def _when(name: str, text: str | None, now_ms: int) -> int | None:
    if not text:
        return None
    try:
        return parse_when_ms(text, now_ms=now_ms)
    except ValueError as error:
        raise MalformedEntryError(f"field {name!r}: {error}") from None
