"""The settings of one account (platform subscription): the top level of the settings, and each of `accounts`."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from cancellist.config.value_types import ApiKey, ApiUrl, ApiVersion, FailureLimit, HomePath, Meanings, Pattern, Span
from cancellist.jobs.model import MOST_IN_CANARY
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN
from cancellist.jobs.safety.canary import USUAL_ABOVE
from cancellist.jobs.safety.environment import Environment, environment_of, is_loopback
from cancellist.jobs.safety.failure_stop import stop_of
from cancellist.jobs.safety.guard import Guard
from cancellist.jobs.safety.safeguards import Safeguards

SANDBOX_PORT = 8089
LOCAL_SANDBOX = f"http://127.0.0.1:{SANDBOX_PORT}"
KEY_SETTINGS = frozenset({"api_key", "api_key_file"})

_PORTS = {"http": 80, "https": 443}


class AccountSettings(BaseModel):
    """The settings that each account can have. An account takes those it does not set from the top level."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    api_url: ApiUrl = Field(LOCAL_SANDBOX, description="base URL of the platform; set it to leave the local sandbox")
    api_key: ApiKey | None = Field(
        None, description="the subscription key, a secret; every https:// host but this machine needs one"
    )
    api_key_file: HomePath | None = Field(
        None,
        description="file that holds the key, instead of API_KEY; workers read it again when the platform refuses the "
        "key. Set it for a mounted secret",
        examples=["/run/secrets/cancellist_key"],
    )
    api_version: ApiVersion = Field(
        "1.1", description="version of the platform's API, sent with every call; empty: no version is sent"
    )
    max_concurrent_calls: int = Field(
        8, ge=1, le=1000, description="most calls in flight, over all workers together; lower it to spare the platform"
    )
    max_calls_per_second: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="most calls a second, over all workers together; unset: no limit. Set it where the platform "
        "states a rate",
        examples=[5],
    )
    burst: int = Field(
        1,
        ge=1,
        le=1000,
        description="calls that may start at once under MAX_CALLS_PER_SECOND; raise it where the platform allows "
        "bursts",
    )
    max_references_per_call: int = Field(
        100,
        ge=1,
        le=1000,
        description="most references in one call; lower it where the platform takes only shorter lists",
    )
    call_timeout: Span = Field(
        30.0, le=3600, description="seconds after which a call is given up; raise it where long lists take longer"
    )
    max_attempts: int = Field(
        8,
        ge=1,
        le=100,
        description="counted calls before a reference is given up; raise it to hold out longer against a failing "
        "platform",
    )
    retry_base: Span = Field(
        0.25, le=60, description="seconds: upper bound of the first pause before a retry; later pauses grow from it"
    )
    retry_cap: Span = Field(
        30.0,
        le=3600,
        description="seconds: upper bound of every pause before a retry; raise it to spare a platform that fails for "
        "long",
    )
    deallocate_first: bool = Field(
        False,
        description="deallocate consignments before they are cancelled, where the platform wants that. It adds a read "
        "for each reference and two requests for each call; a consignment whose cancelling then fails is "
        "left without its carrier",
    )
    refusal_words: Meanings = Field(
        default_factory=dict,
        description="what the platform's texts of refusal mean: a JSON object of regular expressions and cancelled, "
        "manifested, unknown or open. Set it only if you vouch for the texts: no state is read after "
        "these refusals",
        examples=['{"has been manifested": "manifested"}'],
    )
    linger_ms: int = Field(
        20,
        ge=0,
        le=10_000,
        description="milliseconds that a part-filled call waits for more references; raise it where many small jobs "
        "come in",
    )
    reference_pattern: Pattern = Field(
        DEFAULT_PATTERN,
        description="regular expression of a reference, trimmed and in upper case; change it where references have "
        "another form",
    )

    hold: Span | None = Field(
        None, le=30 * 86400, description="how long every job waits before it starts, so that it can be taken back"
    )
    max_refused: FailureLimit | None = Field(
        None,
        description="refused references above which a job halts: a number, or a share of its results;"
        " unset: no job halts for them",
    )
    max_unconfirmed: FailureLimit | None = Field(
        None, description="unconfirmed and failed references above which a job halts, likewise"
    )
    canary: int | None = Field(
        None,
        ge=1,
        le=MOST_IN_CANARY,
        description="references of a large job that are cancelled and read back before the rest; unset: none",
        examples=["20"],
    )
    canary_above: int = Field(
        USUAL_ABOVE, ge=0, le=10_000_000, description="jobs with more references than this have that canary"
    )

    snapshot: bool = Field(
        False,
        description="whether the platform's record of each reference of every job is kept, encrypted in SNAPSHOT_DIR, "
        "before it is cancelled; what cannot be kept is not cancelled",
    )
    reinstate: bool = Field(
        False, description="whether `cancellist reinstate` may create new consignments from snapshots; it costs money"
    )

    guard_max_references: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="most references of a job; more are refused, or held where approvals are asked for",
        examples=[5_000],
    )
    guard_max_per_day: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="most references handed in within 24 hours, likewise",
        examples=[20_000],
    )
    guard_max_share: float | None = Field(
        None,
        ge=0,
        le=100,
        description="most of all open consignments that a job of 100 references or more may name, in percent, "
        "likewise; where it is not known how many are open, the job is held for approval",
        examples=[10],
    )
    guard_unusual: float | None = Field(
        None,
        ge=1,
        le=1000,
        description="a job is held for approval where more references are handed in within 24 hours than so many times "
        "the median of a day",
        examples=[5],
    )
    approve_above: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="references of a job above which others must approve it; 0: every job",
        examples=[500],
    )
    approvals_required: int | None = Field(
        None,
        ge=1,
        le=10,
        description="how many persons must approve a job that is held for it; unset: 1",
        examples=[2],
    )
    approval_keep: Span = Field(
        86_400.0, le=30 * 86400, description="how long a job waits for approval before it is aborted"
    )

    plan_keep: Span = Field(
        3600.0, le=30 * 86400, description="how long a plan, and the token that a job can be made by, is kept"
    )
    plan_read_all: int = Field(
        200,
        ge=1,
        le=10_000,
        description="most references of which a plan reads all states; of more it reads a sample of so many. Raise it "
        "for narrower intervals: each is a call",
    )

    @property
    def safeguards(self) -> Safeguards:
        """What the account asks of each of its jobs."""
        stop = stop_of(self.max_refused, self.max_unconfirmed)
        guard = Guard(
            self.guard_max_references,
            self.guard_max_per_day,
            self.guard_max_share,
            self.guard_unusual,
            self.approve_above,
            self.approvals_required,
            round(self.approval_keep * 1000),
        )
        hold_ms = round((self.hold or 0) * 1000)
        return Safeguards(
            stop, hold_ms, self.canary or 0, self.canary_above, self.snapshot, guard, platform=self.environment.host
        )

    @property
    def host(self) -> str:
        """The platform's host, with its port if the URL has one."""
        return urlsplit(self.api_url).netloc

    @property
    def environment(self) -> Environment:
        """Whether the platform is the local sandbox or real."""
        return environment_of(self.api_url)

    @property
    def requests_per_call(self) -> int:
        """Most requests of one call: 1, or with `deallocate_first` a read for each reference and two more."""
        return self.max_references_per_call + 2 if self.deallocate_first else 1

    @property
    def interval_us(self) -> int:
        """Microseconds between calls; 0 without a rate limit."""
        return round(1_000_000 / self.max_calls_per_second) if self.max_calls_per_second else 0

    @property
    def has_key(self) -> bool:
        """Whether a key or a key file is set."""
        return self.api_key is not None or self.api_key_file is not None

    @property
    def lacks_key(self) -> bool:
        """Whether the host needs a key (https, not on this machine) and none is set."""
        parts = urlsplit(self.api_url)
        return not self.has_key and parts.scheme == "https" and not is_loopback(parts.hostname or "")

    def faults(self, prefix: str) -> Iterator[str]:
        """Yields an error text for each setting that contradicts another. Names of settings begin with `prefix`."""
        parts = urlsplit(self.api_url)
        if self.api_key and self.api_key_file:
            yield f"{prefix}API_KEY_FILE: API_KEY is set too; set one of them"
        if self.has_key and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            yield f"{prefix}API_URL: must be https:// when a key is set, so that the key is sent encrypted"
        if self.retry_cap < self.retry_base:
            yield f"{prefix}RETRY_CAP: must not be below RETRY_BASE"

    def joined(self, own: "AccountSettings | None") -> "AccountSettings":
        """Returns the settings of an account that sets `own`: the rest is from these, but no key for another host."""
        values = {name: getattr(self, name) for name in AccountSettings.model_fields}
        if own is not None:
            given = {name: getattr(own, name) for name in own.model_fields_set}
            elsewhere = "api_url" in given and _origin(given["api_url"]) != _origin(self.api_url)
            if elsewhere or given.keys() & KEY_SETTINGS:
                values |= dict.fromkeys(KEY_SETTINGS)
            values |= given
        return AccountSettings.model_construct(**values)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
