"""What an entry of the intake stream holds."""

import gzip
import json
import re
import socket
from collections.abc import Mapping
from typing import Final

from cancellist_client.errors import ApiError, IdempotencyConflict, InputError, UnsupportedError, wrong
from cancellist_client.options import Options
from cancellist_client.sources import JSON, NDJSON, TEXT, Source

MAX_BYTES: Final = 64_000_000
"""What an entry may hold in all, as the server has it."""
_REPLY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_BEFORE_MS: Final = 10_000
"""An answer may be so much older than its entry, where the server's clock was put back in between."""
_BY_HTTP: Final = 'hand it in by HTTP: Client("https://...", token=...)'


def entry_of(source: Source, options: Options) -> dict[str, str | bytes]:
    """The fields of an entry.

    Raises:
        InputError: it holds too much.
        UnsupportedError: an entry cannot say that.
    """
    if any(one is not None for one in (options.max_invalid, options.override, options.host)) or options.of_file():
        raise UnsupportedError(f"an entry of the intake stream has no such option; {_BY_HTTP}")
    if not source.made_here and source.content_type not in {JSON, TEXT}:
        raise UnsupportedError(f"an entry of the intake stream cannot hold {source.content_type}; {_BY_HTTP}")
    fields: dict[str, str | bytes] = {"references": _references(source), **options.of_job()}
    if sum(len(name) + len(value) * (4 if isinstance(value, str) else 1) for name, value in fields.items()) > MAX_BYTES:
        raise _too_much()
    return fields


def reply_name(given: str | None) -> str:
    """The name under which workers answer entries; that of this machine where none is given, empty for no answers.

    Raises:
        InputError: it is no such name.
    """
    if given is None:
        return f"of.{re.sub('[^A-Za-z0-9._-]', '-', socket.gethostname())}"[:64]
    if given and not _REPLY_NAME.fullmatch(given):
        raise wrong("reply_to", "it has 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first")
    return given


def before(entry: str) -> str:
    """Where the answer to an entry is looked for in the stream of answers: behind this id."""
    return f"{max(0, int(entry.partition('-')[0]) - _BEFORE_MS)}-0"


def job_of(answer: Mapping[bytes, bytes]) -> str:
    """The job of an entry, as a worker has answered it.

    Raises:
        InputError: the entry was refused.
    """
    told = {name.decode(): value.decode() for name, value in answer.items()}
    if "job" in told:
        return told["job"]
    code = told.get("error", "error")
    if code == "idempotency_conflict":
        raise IdempotencyConflict(told.get("message", code), code=code)
    raise (InputError if code == "input" else ApiError)(told.get("message", code), code=code)


def _references(source: Source) -> bytes:
    raw = bytearray()
    for block in source.blocks():
        raw += block
        if len(raw) > MAX_BYTES:
            raise _too_much()
    if source.encoding:
        return gzip.decompress(raw)
    if source.made_here and source.content_type == NDJSON:
        return json.dumps([json.loads(line) for line in raw.splitlines()]).encode()
    return bytes(raw)


def _too_much() -> Exception:
    return wrong("references", f"an entry of the intake stream holds at most {MAX_BYTES:,} bytes; {_BY_HTTP}")
