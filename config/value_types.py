"""The types of settings: how the text of each is read, and what is refused."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from cancellist.config.api_keys import as_key
from cancellist.config.sources import expanded
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.times import parse_span_s

_LONGEST_VERSION = 100


def _span(value: Any) -> Any:
    return parse_span_s(value) if isinstance(value, str) else value


def _url(value: str) -> str:
    if not value.isprintable() or " " in value:
        raise ValueError("must be an http:// or https:// URL in one word")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL whose host and port are written such as https://api.example.com:443") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must have no credentials, query or fragment; put the key into CANCELLIST_API_KEY")
    return value.rstrip("/")


def _key(value: SecretStr) -> SecretStr:
    return SecretStr(as_key(value.get_secret_value()))


def _version(value: str) -> str:
    value = value.strip()
    if len(value) > _LONGEST_VERSION or not value.isascii() or not value.isprintable():
        raise ValueError("must be a version such as 1.1, in printable ASCII, or empty to send none")
    return value


def _pattern(value: str) -> str:
    if value != value.strip():
        raise ValueError("has white space around it: remove it, since no reference has any")
    ReferencePattern(value)
    return value


def _limit(value: Any) -> str:
    parse_limit(str(value))
    return str(value)


def _object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"must be a JSON object: {error}") from None


def _words(value: dict[str, Any]) -> dict[str, Any]:
    for pattern in value:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    return value


Span = Annotated[float, BeforeValidator(_span), Field(gt=0)]
"""A time span in seconds, written as a number or such as `30d`, `12h`, `1h30m`."""
HomePath = Annotated[Path, AfterValidator(expanded)]
"""A path that may begin with `~`."""
ApiUrl = Annotated[str, AfterValidator(_url)]
ApiKey = Annotated[SecretStr, AfterValidator(_key)]
ApiVersion = Annotated[str, AfterValidator(_version)]
Pattern = Annotated[str, AfterValidator(_pattern)]
"""A regular expression of references."""
FailureLimit = Annotated[str, BeforeValidator(_limit)]
"""A number, or a share such as 5%."""
Meanings = Annotated[
    dict[str, Literal["cancelled", "manifested", "unknown", "open"]], BeforeValidator(_object), AfterValidator(_words)
]
"""What texts of refusal mean, by regular expressions: a JSON object."""
