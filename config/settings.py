"""Settings: environment, `.env` or a TOML file (`CANCELLIST_CONFIG`); the environment wins.

Read only by entry points. Checked once, at start, across fields, naming the setting and the mend.
"""

import ipaddress
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from jobs.errors import SettingsError
from jobs.references import DEFAULT_PATTERN, ReferencePattern
from jobs.times import parse_span_s

SANDBOX_PORT = 8089
LOCAL_SANDBOX = f"http://127.0.0.1:{SANDBOX_PORT}"


def _span(value: Any) -> Any:
    return parse_span_s(value) if isinstance(value, str) else value


Span = Annotated[float, BeforeValidator(_span), Field(gt=0)]
"""Seconds; written as a number or such as `30d`, `12h`, `1h30m`."""


class Settings(BaseSettings):
    """What a process of cancellist goes by; names in the environment are `CANCELLIST_` and the field's in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="CANCELLIST_", env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    redis_url: SecretStr | None = Field(None, description="the server; unset: one of our own in DATA_DIR")
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("cancellist"), description="where our own server keeps its data"
    )
    namespace: str = Field("cancellist", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="prefix of every key")
    api_url: str = Field(LOCAL_SANDBOX, description="base URL of the platform")
    api_key: SecretStr | None = Field(None, description="the subscription key; a secret")
    max_concurrent_calls: int = Field(8, ge=1, le=1000, description="calls in flight, over all workers together")
    max_calls_per_second: float | None = Field(None, gt=0, le=10_000, description="over all workers together")
    burst: int = Field(1, ge=1, le=1000, description="calls that may be made at once under MAX_CALLS_PER_SECOND")
    max_references_per_call: int = Field(100, ge=1, le=1000, description="references in one call")
    call_timeout: Span = Field(30.0, le=3600, description="seconds for one call")
    max_attempts: int = Field(8, ge=1, le=100, description="counted calls before a reference is given up")
    retry_base: Span = Field(0.25, le=60, description="seconds: upper bound of the first pause before a retry")
    retry_cap: Span = Field(30.0, le=3600, description="seconds: upper bound of any pause before a retry")
    lease_seconds: float = Field(9.0, ge=1, le=300, description="a dead worker's references are taken over within this")
    fsync: Literal["always", "everysec"] = Field("always", description="how our own server writes its append-only file")
    results_keep: Span = Field(30 * 86400.0, description="how long results are kept")
    jobs_keep: Span = Field(90 * 86400.0, description="how long records of ended jobs are kept")
    idempotency_keep: Span = Field(7 * 86400.0, description="how long an idempotency key stays bound")
    deallocate_first: bool = Field(
        False, description="deallocate consignments before they are cancelled; two requests for each call"
    )
    refusal_words: dict[str, Literal["cancelled", "manifested", "unknown", "open"]] = Field(
        default_factory=dict,
        description="what words of refusal are known to mean: a JSON object of regular expressions and cancelled, "
        "manifested, unknown or open",
    )
    linger_ms: int = Field(20, ge=0, le=10_000, description="how long a part-filled call waits for more references")
    reference_pattern: str = Field(
        DEFAULT_PATTERN, description="what counts as a reference, once trimmed and upper case"
    )
    api_tokens: Annotated[list[SecretStr], NoDecode] = Field(
        default_factory=list, description="who may call the HTTP API; comma-separated"
    )
    log_format: Literal["console", "json"] | None = Field(None, description="console on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe line that is shown"
    )

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _split_tokens(cls, value: Any) -> Any:
        return [token.strip() for token in value.split(",") if token.strip()] if isinstance(value, str) else value

    @field_validator("reference_pattern")
    @classmethod
    def _check_pattern(cls, value: str) -> str:
        ReferencePattern(value)
        return value

    @field_validator("refusal_words")
    @classmethod
    def _check_words(cls, value: dict[str, Any]) -> dict[str, Any]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return value

    @field_validator("api_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no credentials, query or fragment; the key goes into CANCELLIST_API_KEY")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_across(self) -> "Settings":
        parts = urlsplit(self.api_url)
        if self.api_key and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("API_URL must be https:// where API_KEY is set: the key would travel in the clear")
        if self.retry_cap < self.retry_base:
            raise ValueError("RETRY_CAP must not be below RETRY_BASE")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over `.env`, and that over the TOML file."""
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings, dotenv_settings)
        path = os.environ.get("CANCELLIST_CONFIG")
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(path))) if path else sources

    def check_key(self) -> None:
        """Checks that a host that wants a key is given one.

        Raises:
            SettingsError: it is missing.
        """
        parts = urlsplit(self.api_url)
        host = parts.hostname or ""
        if self.api_key is None and parts.scheme == "https" and not is_loopback(host):
            raise SettingsError(
                f"CANCELLIST_API_KEY is not set, and {host} wants one: set it to the subscription key of {host}"
            )

    @property
    def interval_us(self) -> int:
        """Microseconds between calls, 0 without a rate."""
        return round(1_000_000 / self.max_calls_per_second) if self.max_calls_per_second else 0


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: one is wrong; the text names it and says what is wanted, and never holds a value that is secret.
    """
    path = os.environ.get("CANCELLIST_CONFIG")
    if path and not Path(path).is_file():
        raise SettingsError(f"CANCELLIST_CONFIG names {path}, which is no file")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_say(e) for e in error.errors(include_input=False, include_url=False))) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _say(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]).upper()
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"CANCELLIST_{name}: {text}" if name else text


def log_format(settings: Settings) -> str:
    """`console` on a terminal, else `json`, unless it is set."""
    return settings.log_format or ("console" if sys.stderr.isatty() else "json")
