"""Decodes the body of an answer, as leniently as possible without a guess.

One broken character must not make an answer about a thousand references unreadable, so broken characters are replaced.
A body that is no JSON stays `UNREADABLE`.
"""

import codecs
import json
import re
from collections.abc import Iterator

import orjson

from cancellist.jobs.responses.answer import UNREADABLE

_BLANKS = " \t\r\n"
_BOMS = (  # the mark of UTF-32 begins like that of UTF-16, so the longer one goes first
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_CODECS = ("utf-8", "utf-16", "utf-32", "iso8859", "cp125")
"""Beginnings of the encodings that `charset` may name. Others are no text, or slow to read."""
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE | re.ASCII)
_LONE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def decode(raw: bytes, content_type: str = "") -> object:
    """The JSON value of a body; None where it is empty or only white space, `UNREADABLE` where it is no JSON.

    `null` is unreadable, too: it is not the same as no body.

    Args:
        raw: its bytes, not compressed.
        content_type: the header. Only its `charset` counts, since JSON may come under the name of HTML.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _decode_leniently(raw, content_type)
    return UNREADABLE if value is None else value


def _decode_leniently(raw: bytes, content_type: str) -> object:
    if not raw.strip(_BLANKS.encode()):
        return None
    for encoding in _encodings(raw, content_type):
        text = raw.decode(encoding, "replace").strip("\ufeff").strip(_BLANKS)
        try:
            value = _mended(json.loads(text.rstrip(_BLANKS + "\0"), strict=False))
        except (ValueError, RecursionError):
            continue
        return UNREADABLE if value is None else value
    return UNREADABLE


def _encodings(raw: bytes, content_type: str) -> Iterator[str]:
    """The encodings that a body may have, the likeliest first. The header may be wrong."""
    yield from (encoding for bom, encoding in _BOMS if raw.startswith(bom))
    for name in _CHARSET.findall(content_type):
        try:
            known = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if known.startswith(_CODECS):
            yield known
    detected = json.detect_encoding(raw)
    if detected.startswith(("utf-16", "utf-32")):
        yield detected
    yield "utf-8"


def _mended(value: object) -> object:
    """A value with lone surrogates replaced, which cannot be encoded."""
    match value:
        case str():
            return value if value.isascii() else _LONE.sub(_REPLACEMENT, value)
        case list():
            return [_mended(one) for one in value]
        case dict():
            return {_mended(key): _mended(one) for key, one in value.items()}
        case _:
            return value
