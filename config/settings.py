"""The settings of a process, from the environment, `.env` and a TOML file (`CANCELLIST_CONFIG`).

Only entry points read them. They are checked once, at start, each alone and against each other. An error names the
setting and says what to do.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from cancellist.config import setting_names, sources
from cancellist.config.account_settings import KEY_SETTINGS, LOCAL_SANDBOX, SANDBOX_PORT, AccountSettings
from cancellist.config.api_keys import read_key
from cancellist.config.flow_settings import FlowSettings
from cancellist.config.receipt_settings import ReceiptSettings
from cancellist.config.serve_settings import ServeSettings
from cancellist.config.snapshot_settings import SnapshotSettings
from cancellist.config.value_types import HomePath, Span
from cancellist.config.webhook_settings import WebhookSettings
from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import DEFAULT_ACCOUNT
from cancellist.jobs.safety.environment import is_loopback

__all__ = [
    "LOCAL_SANDBOX",
    "SANDBOX_PORT",
    "AccountSettings",
    "Settings",
    "is_loopback",
    "log_format",
]

ENV_FILE = ".env"
AccountName = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


def _data_dir() -> Path:
    """Returns the user's data folder. Without a known home folder it begins with `~`, which fails on use."""
    try:
        return user_data_path("cancellist")
    except RuntimeError:
        return Path("~/.local/share/cancellist")


def _whole(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be a whole path, which begins with /")
    return path


def _limit(value: Any) -> str:
    parse_limit(str(value))
    return str(value)


def _one_word(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not url.isprintable() or (" " in url and not url.startswith("unix:")):
        raise ValueError("must be a URL without spaces")
    return value


class Settings(AccountSettings, FlowSettings, ServeSettings, WebhookSettings, ReceiptSettings, SnapshotSettings):
    """The settings of a process. In the environment a field is named `CANCELLIST_` and its name in upper case.

    Without `_given` it reads the environment, the file `_env_file` and the TOML file.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=False)

    def __init__(
        self, *, _env_file: Path | str | None = ENV_FILE, _given: sources.Given | None = None, **overrides: Any
    ) -> None:
        given = _given or sources.read(_env_file, type(self).model_fields)
        super().__init__(**{**given.values, **overrides})

    redis_url: Annotated[SecretStr, AfterValidator(_one_word)] | None = Field(
        None,
        description="address of the Redis or Valkey server; unset: an embedded server in DATA_DIR. Set it where "
        "processes run on several machines",
        examples=["redis://127.0.0.1:6379/0"],
    )
    data_dir: HomePath = Field(
        default_factory=_data_dir,
        description="folder of the embedded server's data; change it to keep the data on another disk",
        examples=["/var/lib/cancellist"],
    )
    namespace: str = Field(
        "cancellist",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="prefix of every key; change it where several installations share one server",
        json_schema_extra={"accepted": "1 to 64 letters, digits, dots, - and _"},
    )
    accounts: dict[AccountName, AccountSettings] = Field(
        default_factory=dict, description="platform subscriptions beside the top level's, by name"
    )
    lease_seconds: float = Field(
        9.0,
        ge=1,
        le=300,
        description="seconds within which a dead worker's references are taken over; raise it where workers may stand "
        "still for long",
    )
    fsync: Literal["always", "everysec"] = Field(
        "always",
        description="when the embedded server writes to its disk: always, or every second, which is faster but may "
        "lose two seconds in a crash of the machine",
    )
    results_keep: Span = Field(
        30 * 86400.0, description="how long results are kept; shorten it to save memory of the server"
    )
    jobs_keep: Span = Field(
        90 * 86400.0, description="how long records of ended jobs are kept; shorten it to save memory of the server"
    )
    idempotency_keep: Span = Field(
        7 * 86400.0,
        description="how long an idempotency key stays bound to its job; lengthen it where producers repeat requests "
        "for longer",
    )
    max_invalid: Annotated[str, BeforeValidator(_limit)] = Field(
        "10%",
        description="malformed entries above which a file is refused: a number, or a share, which applies to more "
        "than 10 entries; raise it for files that hold other lines too",
    )
    stop_file: Annotated[HomePath, AfterValidator(_whole)] | None = Field(
        None,
        description="while this file is there, workers start no call, and all accounts are stopped; set it to stop "
        "everything by `touch`, also while the server is away",
        examples=["/run/cancellist/stop"],
    )
    heartbeat_dir: HomePath | None = Field(
        None,
        description="folder in which a worker touches a file while it lives, for health checks; unset: the folder for "
        "temporary files",
        examples=["/run/cancellist"],
    )
    log_format: Literal["console", "json"] | None = Field(
        None, description="form of log lines; unset: console on a terminal, else json", examples=["json"]
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe level that is logged; debug tells more of what happens"
    )

    @model_validator(mode="after")
    def _check_across(self) -> "Settings":
        found = list(self.faults(setting_names.PREFIX)) or [
            fault for name in self.accounts for fault in self.of(name).faults(self.prefix(name))
        ]
        found += self.serve_faults(setting_names.PREFIX)
        if found:
            raise ValueError("; ".join(found))
        return self

    @property
    def account_names(self) -> tuple[str, ...]:
        """The names of the configured accounts, sorted.

        `default` is the top level. It is left out if there are other accounts and its host needs a key that is not set:
        then the top level holds only what the others share.
        """
        unused = bool(self.accounts) and DEFAULT_ACCOUNT not in self.accounts and self.lacks_key
        return tuple(sorted({*self.accounts, *(() if unused else (DEFAULT_ACCOUNT,))}))

    def of(self, account: str) -> AccountSettings:
        """Returns the settings of an account; those of the top level if it is not configured."""
        return self.joined(self.accounts.get(account))

    def prefix(self, account: str) -> str:
        """Returns the prefix of an account's settings in the environment."""
        if account == DEFAULT_ACCOUNT and account not in self.accounts:
            return setting_names.PREFIX
        return f"{setting_names.PREFIX}{setting_names.ACCOUNTS}{account.upper()}__"

    def wording(self, account: str) -> SettingNames:
        """Returns the names of the settings that an account's key and URL come from."""
        own, given = self.of(account), self.accounts.get(account, AccountSettings()).model_fields_set
        mine, common = self.prefix(account), setting_names.PREFIX
        in_file = own.api_key_file is not None
        key = f"{mine if given & KEY_SETTINGS or not own.has_key else common}API_KEY{'_FILE' if in_file else ''}"
        return SettingNames(account, key, in_file, f"{mine if 'api_url' in given else common}API_URL")

    def check_key(self, account: str = DEFAULT_ACCOUNT) -> None:
        """Checks that an account has a key if its host needs one. A key for another host does not count.

        Raises:
            SettingsError: the key is missing.
        """
        own = self.of(account)
        if own.lacks_key:
            raise SettingsError(
                f"{self.prefix(account)}API_KEY is not set, and {own.host} wants one: set it to the subscription key "
                f"of {own.host}" + ("; the top level's key is for another host" if self.has_key else "")
            )

    def key(self, account: str) -> str | None:
        """Returns an account's key, read from its file now if a file is set; None without a key.

        Raises:
            SettingsError: the file holds no key.
        """
        own = self.of(account)
        if own.api_key_file is None:
            return own.api_key.get_secret_value() if own.api_key else None
        return read_key(own.api_key_file, self.wording(account).key)


def log_format(settings: Settings) -> str:
    """Returns the log format that is set; by default `console` on a terminal, else `json`."""
    return settings.log_format or ("console" if sys.stderr.isatty() else "json")
