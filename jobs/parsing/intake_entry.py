"""Parses an entry of the intake stream: a job's request and its references, or the reason why it cannot become a job.

An entry is taken whole or refused whole. Whatever is not understood for sure is refused, with a reason of bounded
length.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.limits import Limit
from cancellist.jobs.model import DEFAULT_ACCOUNT, JobRequest
from cancellist.jobs.parsing.documents import listed
from cancellist.jobs.parsing.intake_values import (
    MAX_TEXT,
    SHOWN,
    MalformedEntryError,
    canary_of,
    count_of,
    hold_ms_of,
    limit_of,
    priority_of,
    quoted,
    snapshot_of,
    when_ms_of,
)
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import NOISE, Batch, RawBatch, among_words, classify
from cancellist.jobs.times import rfc3339

MAX_BYTES: Final = 64_000_000
"""The most bytes of an entry, names and values: about three million references."""

_REFERENCES: Final = "references"
_FIELDS: Final = frozenset(
    {
        _REFERENCES, "reason", "requested_by", "priority", "deadline", "start_at", "account", "idempotency_key",
        "max_refused", "max_unconfirmed", "hold", "canary", "snapshot", "plan", "expect_count", "reply_to",
    }
)  # fmt: skip
_SAFEGUARDS: Final = ("plan", "expect_count", "canary", "snapshot", "hold", "max_refused", "max_unconfirmed")
"""Fields that guard a job. An empty one is refused: who wrote it wants a guard, and has lost its value."""
_REPLY_TO: Final = "reply_to"
_REPLY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""A name that can stand in a key: it reaches no other key, and no other slot of a cluster."""
_SIFTED: Final = 10_000
_MARK: Final = "\ufeff"
_GIVE: Final = "give a JSON array of strings, or one reference a line"


@dataclass(frozen=True, slots=True)
class IntakeOrder:
    """A job's request and its references, unchecked; blank ones are left out.

    Attributes:
        reply_to: the name that the entry is to be answered under; empty for none.
    """

    order: JobRequest
    references: list[str]
    reply_to: str = ""


def parse_entry(
    pairs: Sequence[tuple[bytes, bytes]],
    *,
    now_ms: int,
    accounts: frozenset[str],
    patterns: Mapping[str, ReferencePattern] = MappingProxyType({}),
) -> IntakeOrder:
    """Parses an entry's fields.

    Args:
        pairs: names and values in order. A name may occur more than once.
        now_ms: the time from which a span such as `+2h` counts.
        accounts: the accounts that are served.
        patterns: the reference patterns of accounts, where they are not the default.

    Raises:
        MalformedEntryError: a field is unknown, repeated, missing or malformed, or the entry is too large.
    """
    _check_size(pairs)
    given = _fields(pairs)
    fields = {name: values[0] for name, values in given.items()}
    for name in _SAFEGUARDS:
        if fields.get(name) == "":
            raise MalformedEntryError(f"field {name!r} is empty, and guards the job: give its value, or leave it out")
    account = fields.get("account") or DEFAULT_ACCOUNT
    if account not in accounts:
        raise MalformedEntryError(f"no account {quoted(account)} is configured; there is {', '.join(sorted(accounts))}")
    pattern = patterns.get(account) or ReferencePattern()
    references = [entry for text in given.get(_REFERENCES, ()) for entry in _references(text, pattern)]
    if not references:
        raise MalformedEntryError(f"field 'references' holds no reference; {_GIVE}")
    return IntakeOrder(_order(fields, account, now_ms), references, _reply_to(fields))


def reply_name(pairs: Iterable[tuple[bytes, bytes]]) -> str:
    """The name that an entry is to be answered under, also one that cannot become a job; empty where it has none."""
    given = [value for name, value in pairs if name == _REPLY_TO.encode()]
    if len(given) != 1 or len(given[0]) > MAX_TEXT:
        return ""
    name = given[0].decode("ascii", "replace")
    return name if _REPLY_NAME.fullmatch(name) else ""


def _reply_to(fields: Mapping[str, str]) -> str:
    name = fields.get(_REPLY_TO, "")
    if name and not _REPLY_NAME.fullmatch(name):
        raise MalformedEntryError(
            f"field 'reply_to' is {quoted(name)}: use 1 to 64 letters, digits, '.', '_' and '-', beginning with a "
            "letter or digit"
        )
    return name


def _check_size(pairs: Sequence[tuple[bytes, bytes]]) -> None:
    held = size(pairs)
    if held > MAX_BYTES:
        raise MalformedEntryError(
            f"the entry holds {held:,} bytes, more than {MAX_BYTES:,}: "
            "hand it in as several entries, or as a file with `cancellist enqueue`"
        )


def _order(fields: Mapping[str, str], account: str, now_ms: int) -> JobRequest:
    """The request in an entry's fields."""
    for name in ("reason", "requested_by", "idempotency_key", "plan"):
        if len(fields.get(name, "")) > MAX_TEXT:
            raise MalformedEntryError(f"field {name!r} is longer than {MAX_TEXT} characters")
    deadline_ms = when_ms_of("deadline", fields.get("deadline"), now_ms)
    start_at_ms = when_ms_of("start_at", fields.get("start_at"), now_ms)
    hold_ms = hold_ms_of(fields.get("hold"))
    begins_ms = max(start_at_ms or 0, now_ms + hold_ms) if start_at_ms or hold_ms else None
    _check_times(deadline_ms, begins_ms, now_ms)
    return JobRequest(
        account=account,
        reason=fields.get("reason") or None,
        requested_by=fields.get("requested_by") or None,
        priority=priority_of(fields.get("priority")),
        deadline_ms=deadline_ms,
        start_at_ms=start_at_ms,
        idempotency_key=fields.get("idempotency_key") or None,
        hold_ms=hold_ms,
        max_refused=limit_of("max_refused", fields.get("max_refused")),
        max_unconfirmed=limit_of("max_unconfirmed", fields.get("max_unconfirmed")),
        canary=canary_of(fields.get("canary")),
        snapshot=snapshot_of(fields.get("snapshot")),
        plan=fields.get("plan") or None,
        expect_count=count_of(fields.get("expect_count")),
    )


def size(pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """The bytes of an entry, names and values."""
    return sum(len(name) + len(value) for name, value in pairs)


def sift(references: Sequence[str], pattern: ReferencePattern, *, most: Limit) -> list[Batch]:
    """Separates an entry's references from malformed entries, in batches of bounded size.

    Args:
        references: the unchecked references, without blank ones.
        pattern: the pattern of references.
        most: the limit of malformed ones.

    Raises:
        MalformedEntryError: no entry is a reference, too many are malformed, or one holds a reference among other
            words.
    """
    batches = []
    for at in range(0, len(references), _SIFTED):
        part = list(references[at : at + _SIFTED])
        batch = classify(RawBatch(range(at + 1, at + 1 + len(part)), part), pattern)
        _check_lines(references, batch, pattern)
        batches.append(batch)
    _check_share(sum(len(batch.valid) for batch in batches), sum(len(batch.invalid) for batch in batches), most)
    return batches


def _check_lines(references: Sequence[str], batch: Batch, pattern: ReferencePattern) -> None:
    """Refuses a table or prose in place of a list: it shows by a reference among other words."""
    for entry in batch.invalid:
        text = references[entry.line - 1][:MAX_TEXT]
        if among_words(text, pattern):
            raise MalformedEntryError(
                f"entry {entry.line:,} of 'references' holds a reference among other words; {_GIVE}"
            )


def _check_share(valid: int, malformed: int, most: Limit) -> None:
    total = valid + malformed
    if not valid:
        raise MalformedEntryError(f"none of the {total:,} entries of 'references' is a reference by the pattern")
    if most.exceeded(malformed, total):
        raise MalformedEntryError(
            f"{malformed:,} of the {total:,} entries of 'references' are no references by the pattern; at most "
            f"{most} may be (CANCELLIST_MAX_INVALID)"
        )


def _fields(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """The values of each field, in order; only `references` may have more than one."""
    given: dict[str, list[str]] = defaultdict(list)
    for raw_name, raw_value in pairs:
        name = _text(raw_name, "the name of a field")
        if name not in _FIELDS:
            known = ", ".join(sorted(_FIELDS))
            raise MalformedEntryError(f"unknown field {quoted(name)}{_meant(name)}; known are {known}")
        given[name].append(_text(raw_value, f"field {name!r}").removeprefix(_MARK))
        if len(given[name]) > 1 and name != _REFERENCES:
            raise MalformedEntryError(f"field {name!r} is given twice: give it once")
    return given


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedEntryError(f"{what} is not UTF-8 text (byte {error.start})") from None


def _meant(name: str) -> str:
    """Suggests the field that a misspelt name may mean."""
    spelt = name.strip(NOISE).casefold()[:SHOWN].replace("-", "_").replace(" ", "_")
    near = get_close_matches(spelt, _FIELDS, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _references(text: str, pattern: ReferencePattern) -> Iterator[str]:
    """The references of one field, read like a file of lines or JSON; blank ones are left out."""
    begins = text.lstrip(NOISE)[:1]
    if begins == "{":
        raise MalformedEntryError(f"field 'references' is JSON, but an object and no array; {_GIVE}")
    try:
        batches = listed(text, pattern)
    except InputError as error:
        raise MalformedEntryError(f"field 'references': {error}{f'; {_GIVE}' if begins == '[' else ''}") from None
    for batch in batches:
        if batch.invalid or not all(type(item) is str for item in batch.rows):
            raise MalformedEntryError(f"field 'references' must be an array of strings; {_GIVE}")
        yield from batch.values


def _check_times(deadline_ms: int | None, start_at_ms: int | None, now_ms: int) -> None:
    if deadline_ms is None:
        return
    if deadline_ms <= now_ms:
        raise MalformedEntryError(f"the deadline, {rfc3339(deadline_ms)}, is past: give a later one")
    if start_at_ms is not None and start_at_ms >= deadline_ms:
        raise MalformedEntryError(
            f"the start, {rfc3339(start_at_ms)}, is not before the deadline, {rfc3339(deadline_ms)}: "
            "give an earlier 'start_at' or a later 'deadline'"
        )
