"""Settings of a sandbox, which can change while it runs, and options, which are fixed at its start."""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cancellist.sandbox.answers.style import Style
from cancellist.sandbox.faults.faults import parse_faults, parse_places
from cancellist.sandbox.world.consignments import DEFAULT_MIX, parse_mix

_HOUR_MS = 3_600_000.0
_DAY_S = 86_400.0

_BOUNDS = {"ge": "from", "gt": "above", "le": "up to", "lt": "below"}

Times = Annotated[int, Field(ge=1)]
"""A probability."""


class Settings(BaseModel):
    """Settings that `PUT /sandbox/settings` can change while the sandbox runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    latency_ms: float = Field(0, ge=0, le=_HOUR_MS, description="How long a call takes.")
    jitter_ms: float = Field(0, ge=0, le=_HOUR_MS, description="A call takes up to this much less or more.")
    per_reference_ms: float = Field(0, ge=0, le=_HOUR_MS, description="Added for each reference that a list names.")
    list_knee: int | None = Field(
        None, ge=1, description="References beyond which the time of each grows in proportion to the list."
    )
    saturation: int | None = Field(
        None, ge=1, description="Calls at once beyond which each takes longer in proportion."
    )
    list_limit: int = Field(10_000, ge=1, description="References a list may name; 413 beyond.")
    capacity: int | None = Field(None, ge=1, description="Calls worked on at once; 429 beyond.")
    rate: float | None = Field(None, gt=0, description="Calls in any one second; 429 beyond.")
    retry_after_s: float | None = Field(None, ge=0, description="Retry-After of answers 429 and 503.")
    retry_after_date: bool = Field(False, description="Retry-After is a date, not a number of seconds.")
    api_key: SecretStr | None = Field(None, min_length=1, description="The subscription key that calls must bring.")
    gzip: bool = Field(True, description="Packs answers of 1 KB and more for who accepts it.")
    faults: dict[str, float] = Field(default_factory=dict, description="Probability by fault: KIND or SCOPE:KIND.")
    faults_for_s: float | None = Field(
        None,
        gt=0,
        le=_DAY_S,
        description="What is left to chance goes wrong for so long after the first call that it is for.",
    )
    at: dict[str, dict[str, Times | None]] = Field(
        default_factory=dict,
        description="By reference: what goes wrong with calls that name it, and how often; null is always.",
    )
    poison: Literal[400, 404] | None = Field(
        None, description="Answer to a whole list with an unknown reference in it."
    )
    deallocate_first: bool = Field(False, description="Allocated consignments must be deallocated before.")
    refusal_words: Annotated[Style, Field(strict=False)] = Field(
        Style.OWN, description="How refusals are worded: own, generic, state or code."
    )
    manifested_cancellable: bool = Field(
        False, description="Cancels in Manifested, Dispatched, Collected, InTransit and most later states too."
    )
    ready_to_ship_refused: bool = Field(False, description="What is ready to ship must be set back before.")
    ignored_filters: list[str] = Field(default_factory=list, description="Filters that searches ignore, by name.")
    strict: bool = Field(False, description="Wants the documented Content-Type and electio-api-version.")
    slow_ms: float = Field(1_000, ge=0, le=_HOUR_MS, description="What the fault `slow` adds to a call.")
    late_ms: float = Field(2_000, ge=0, le=_HOUR_MS, description="How late the faults `...-late` act.")
    stale_s: float = Field(300, ge=1, le=_DAY_S, description="How old the answers of the faults `stale-...` are.")
    surplus_ms: float = Field(20, ge=0, le=_HOUR_MS, description="How late the fault `surplus-late` writes.")
    hang_ms: float = Field(300_000, gt=0, le=_HOUR_MS, description="After how long a hanging call is closed.")

    @field_validator("faults")
    @classmethod
    def _check_faults(cls, faults: dict[str, float]) -> dict[str, float]:
        parse_faults(faults)
        return faults

    @field_validator("at")
    @classmethod
    def _check_at(cls, at: dict[str, dict[str, int | None]]) -> dict[str, dict[str, int | None]]:
        parse_places(at)
        return at


class SandboxOptions(Settings):
    """Settings and what is fixed at the start."""

    host: str = Field("127.0.0.1", min_length=1, description="Where it listens.")
    port: int = Field(0, ge=0, le=65_535, description="0 takes any free port.")
    consignments: int = Field(100_000, ge=0, le=1_000_000_000, description="How many there are at the start.")
    seed: int = Field(1, description="The same seed makes the same consignments and the same faults.")
    mix: str = Field(DEFAULT_MIX, description="Weights of the states they begin in.")

    @field_validator("mix")
    @classmethod
    def _check_mix(cls, mix: str) -> str:
        parse_mix(mix)
        return mix

    def settings(self) -> Settings:
        """Returns the part that can change while the sandbox runs."""
        return Settings.model_validate({name: getattr(self, name) for name in Settings.model_fields})


def changed(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """Returns settings with some of them changed.

    Raises:
        ValidationError: a name is unknown or fixed at the start, or a value does not fit.
    """
    return Settings.model_validate({name: getattr(settings, name) for name in Settings.model_fields} | dict(changes))


def explain(error: ValidationError, named: Callable[[str], str] = str) -> str:
    """Returns what is wrong with settings in one line: the setting, what was given, what is accepted.

    Args:
        error: what pydantic found.
        named: makes the name that the user knows of a setting's name.
    """
    return "; ".join(_explained(problem, named) for problem in error.errors(include_url=False))


def _explained(problem: ErrorDetails, named: Callable[[str], str]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    if problem["type"] == "value_error":
        return f"{named(name)}: {problem['msg'].removeprefix('Value error, ')}"
    field = SandboxOptions.model_fields.get(name)
    if field is None or problem["type"] == "extra_forbidden":
        fixed = " while the sandbox runs" if field is not None else ""
        return f"{named(name)}: no such setting{fixed}"
    given = problem["input"]
    told = f"{given!r} is not" if isinstance(given, int | float) else "must be"
    return f"{named(name)}: {told} {_accepted(field, inside=len(problem['loc']) > 1)}"


def _accepted(field: FieldInfo, *, inside: bool) -> str:
    """Returns what a setting accepts. Its bounds are its metadata."""
    kinds = [kind for kind in (get_args(field.annotation) or [field.annotation]) if kind is not NoneType]
    if get_origin(field.annotation) is dict:
        what = "a number" if inside else "a JSON object"
        return f"{what}; {field.description}"
    if kinds[0] is bool:
        return "true or false"
    if kinds[0] not in {int, float}:
        choices = [str(one) for kind in kinds for one in get_args(kind)]
        return f"one of {', '.join(choices)}" if choices else "a text that is not empty"
    limits = ((name, getattr(one, name, None)) for one in field.metadata for name in _BOUNDS)
    bounds = " ".join(f"{_BOUNDS[name]} {value:.15g}" for name, value in limits if value is not None)
    return f"a {'whole ' if kinds[0] is int else ''}number {bounds}".rstrip()
