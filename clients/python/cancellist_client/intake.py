"""What an entry of the intake stream holds."""

import gzip
import json
from typing import Final

from cancellist_client.errors import UnsupportedError, wrong
from cancellist_client.options import Options
from cancellist_client.sources import JSON, NDJSON, TEXT, Source

MAX_BYTES: Final = 64_000_000
"""What an entry may hold in all, as the server has it."""
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
