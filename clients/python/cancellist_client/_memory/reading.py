"""How the fake reads what is handed in: a small part of what the server reads, with the same refusals."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from cancellist_client.errors import FieldError, InputError
from cancellist_client.options import Options
from cancellist_client.sources import CSV, JSON, NDJSON, Source

PATTERN: Final = r"EC-[A-Z0-9]{3}-[A-Z0-9]{3}-[A-Z0-9]{3}"
_MAX_INVALID: Final = "10%"
_FEW: Final = 10
"""A share says nothing of so few."""
_UNPROCESSABLE: Final = 422


@dataclass(frozen=True, slots=True)
class Found:
    """What was handed in: references, each once and in order, and what is none."""

    valid: tuple[str, ...]
    malformed: tuple[str, ...]
    duplicates: int
    blank: int


def read(source: Source, options: Options, pattern: str) -> Found:
    """Reads and checks it.

    Raises:
        InputError: it cannot be used.
    """
    entries = _entries(source, options)
    texts = [entry.strip() for entry in entries]
    given = [text for text in texts if text]
    is_reference = re.compile(pattern).fullmatch
    valid = [text.upper() for text in given if is_reference(text.upper())]
    malformed = [text for text in given if not is_reference(text.upper())]
    if not valid:
        raise refused("there is no reference in it", code="no_references")
    if _too_many(len(malformed), len(given), options.max_invalid or _MAX_INVALID):
        raise refused(f"{len(malformed)} of {len(given)} entries are no references")
    unique = tuple(dict.fromkeys(valid))
    return Found(unique, tuple(malformed), len(valid) - len(unique), len(texts) - len(given))


def refused(detail: str, *, code: str = "input", field: str | None = None) -> InputError:
    """What was handed in cannot be used."""
    errors = (FieldError(field, detail),) if field else ()
    return InputError(detail if not field else "it cannot be used", code=code, status=_UNPROCESSABLE, errors=errors)


def _entries(source: Source, options: Options) -> Sequence[str]:
    if source.references is not None:
        return source.references
    raw = b"".join(source.blocks())
    try:
        text = (gzip.decompress(raw) if source.encoding else raw).decode("utf-8-sig")
        return _READERS.get(source.content_type, _of_lines)(text, options)
    except (ValueError, OSError, EOFError) as error:
        raise refused(f"it is no {source.content_type}: {error}") from error


def _of_lines(text: str, _: Options) -> Sequence[str]:
    return text.splitlines()


def _of_json(text: str, options: Options) -> Sequence[str]:
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise refused("it is no JSON array")
    return [_reference_of(row, options.column) for row in cast("list[object]", rows)]


def _of_ndjson(text: str, options: Options) -> Sequence[str]:
    return [_reference_of(json.loads(line), options.column) for line in text.splitlines() if line.strip()]


def _reference_of(row: object, column: str | None) -> str:
    if isinstance(row, dict):
        if column is None:
            raise refused("say which key holds the references", field="column")
        row = cast("dict[str, Any]", row).get(column, "")
    return row if isinstance(row, str) else json.dumps(row)


def _of_csv(text: str, options: Options) -> Sequence[str]:
    delimiter = {"tab": "\t", None: ","}.get(options.delimiter, options.delimiter or ",")
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))[options.skip_lines or 0 :]
    if not rows:
        return []
    if options.header is False:
        at = int(options.column) - 1 if options.column else 0
    else:
        at = _column(rows[0], options.column)
        rows = rows[1:]
    return [row[at] if at < len(row) else "" for row in rows]


def _column(header: Sequence[str], column: str | None) -> int:
    names = [name.strip().casefold() for name in header]
    if column is not None:
        if column.casefold() in names:
            return names.index(column.casefold())
        if column.isdecimal() and 0 < int(column) <= len(names):
            return int(column) - 1
        raise refused(f"there is no column {column!r}", field="column")
    found = [at for at, name in enumerate(names) if "reference" in name]
    if len(found) == 1 or len(names) == 1:
        return found[0] if found else 0
    raise refused("say which column holds the references", field="column")


_READERS: Final[dict[str, Callable[[str, Options], Sequence[str]]]] = {JSON: _of_json, NDJSON: _of_ndjson, CSV: _of_csv}


def _too_many(found: int, of: int, limit: str) -> bool:
    share = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", limit.strip())
    if share is None:
        raise refused(f"{limit!r} is neither a number such as 20 nor a share such as 10%", field="max_invalid")
    if not share[2]:
        return found > float(share[1])
    return not (of <= _FEW and float(share[1])) and found * 100 > float(share[1]) * of
