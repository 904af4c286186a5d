"""The command that runs a sandbox: `cancellist sandbox`, or `python -m cancellist.sandbox`."""

import os
import sys
from typing import TYPE_CHECKING

import typer

from cancellist.sandbox.answers.style import Style
from cancellist.sandbox.command_options import (
    ApiKey,
    AsJson,
    At,
    Capacity,
    Consignments,
    DeallocateFirst,
    Fault,
    FaultsForS,
    Gzip,
    HangMs,
    Host,
    IgnoredFilters,
    JitterMs,
    LateMs,
    LatencyMs,
    ListKnee,
    ListLimit,
    ManifestedCancellable,
    Mix,
    PerReferenceMs,
    Poison,
    Port,
    Rate,
    ReadyToShipRefused,
    RefusalWords,
    RetryAfterDate,
    RetryAfterS,
    Saturation,
    Seed,
    SlowMs,
    StaleS,
    Strict,
    SurplusMs,
)

if TYPE_CHECKING:
    from cancellist.sandbox.options import SandboxOptions
    from cancellist.sandbox.server import Sandbox

_EXAMPLES = 3


class CannotListenError(typer.TyperException):
    """The sandbox cannot listen on its address."""

    code = "cannot_listen"


def sandbox(
    host: Host = "127.0.0.1",
    port: Port = 8089,
    consignments: Consignments = 100_000,
    seed: Seed = 1,
    mix: Mix = None,
    latency_ms: LatencyMs = 0,
    jitter_ms: JitterMs = 0,
    per_reference_ms: PerReferenceMs = 0,
    list_knee: ListKnee = None,
    saturation: Saturation = None,
    list_limit: ListLimit = 10_000,
    capacity: Capacity = None,
    rate: Rate = None,
    retry_after_s: RetryAfterS = None,
    retry_after_date: RetryAfterDate = False,
    api_key: ApiKey = None,
    gzip: Gzip = True,
    fault: Fault = None,
    poison: Poison = None,
    at: At = None,
    faults_for_s: FaultsForS = None,
    refusal_words: RefusalWords = Style.OWN,
    manifested_cancellable: ManifestedCancellable = False,
    ready_to_ship_refused: ReadyToShipRefused = False,
    strict: Strict = False,
    ignored_filters: IgnoredFilters = None,
    deallocate_first: DeallocateFirst = False,
    slow_ms: SlowMs = 1_000,
    late_ms: LateMs = 2_000,
    stale_s: StaleS = 300,
    surplus_ms: SurplusMs = 20,
    hang_ms: HangMs = 300_000,
    as_json: AsJson = False,
) -> None:
    """Run a local Consignments platform, with faults on request.

    Example: cancellist sandbox --latency-ms 50 --fault 503-before=0.05 --fault list:half-list=0.02

    Example: cancellist sandbox --refusal-words generic --strict --at EC-000-05D-1NS=429-before

    The platform's documentation leaves some behaviour open; options such as --refusal-words choose it.

    While the sandbox runs, PUT /sandbox/settings changes its settings, and GET /sandbox/record shows what really
    happened to each consignment.
    """
    values: dict[str, object] = {
        "host": host,
        "port": port,
        "consignments": consignments,
        "seed": seed,
        "latency_ms": latency_ms,
        "jitter_ms": jitter_ms,
        "per_reference_ms": per_reference_ms,
        "list_knee": list_knee,
        "saturation": saturation,
        "list_limit": list_limit,
        "capacity": capacity,
        "rate": rate,
        "retry_after_s": retry_after_s,
        "retry_after_date": retry_after_date,
        "api_key": api_key or None,
        "gzip": gzip,
        "faults": _faults(fault or []),
        "poison": poison,
        "at": _places(at or []),
        "faults_for_s": faults_for_s,
        "refusal_words": refusal_words,
        "manifested_cancellable": manifested_cancellable,
        "ready_to_ship_refused": ready_to_ship_refused,
        "ignored_filters": ignored_filters or [],
        "strict": strict,
        "deallocate_first": deallocate_first,
        "slow_ms": slow_ms,
        "late_ms": late_ms,
        "stale_s": stale_s,
        "surplus_ms": surplus_ms,
        "hang_ms": hang_ms,
    }
    _run(values if mix is None else values | {"mix": mix}, as_json=as_json)


def _faults(texts: list[str]) -> dict[str, float]:
    faults: dict[str, float] = {}
    for text in texts:
        if text == "help":
            _print_faults()
        name, _, probability = text.partition("=")
        try:
            faults[name.strip()] = float(probability)
        except ValueError:
            raise typer.BadParameter(f"--fault {text}: write it as KIND=PROBABILITY, such as 503-before=0.05") from None
    return faults


def _places(texts: list[str]) -> dict[str, dict[str, int | None]]:
    """Parses `--at`: for each reference, its faults and how many times each happens (None: always)."""
    places: dict[str, dict[str, int | None]] = {}
    for text in texts:
        reference, _, fault = text.partition("=")
        kind, star, times = fault.partition("*")
        if not reference.strip() or not kind.strip() or (star and not _counts(times)):
            raise typer.BadParameter(f"--at {text}: write it as REFERENCE=KIND or REFERENCE=KIND*TIMES")
        places.setdefault(reference.strip(), {})[kind.strip()] = int(times) if star else None
    return places


def _counts(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdecimal() and int(text) > 0


def _print_faults() -> None:
    # Imported here, as below, to keep the start of other commands fast.
    from cancellist.sandbox.faults.kinds import APPLIES, FaultKind, Scope, meaning  # noqa: PLC0415

    typer.echo("--fault [SCOPE:]KIND=PROBABILITY. A KIND without a SCOPE applies to all cancel calls.")
    typer.echo("--at REFERENCE=[SCOPE:]KIND, or ...KIND*TIMES, for faults of the calls with one reference.\n")
    typer.echo(f"SCOPE is one of {', '.join(Scope)}. The scopes of each fault are in brackets.\n")
    for kind in FaultKind:
        scopes = [scope for scope in Scope if kind in APPLIES[scope]]
        where = "all" if len(scopes) == len(Scope) else " ".join(scopes)
        typer.echo(f"{kind:<24}{meaning(kind)} ({where})")
    typer.echo()
    typer.echo("Example: --fault 504-late=0.01 --fault reads:stale-age=0.1 --at EC-000-05D-1NS=list:429-before*3")
    raise typer.Exit


def _run(values: dict[str, object], *, as_json: bool) -> None:
    import uvloop  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    from cancellist.sandbox.options import SandboxOptions, explain  # noqa: PLC0415
    from cancellist.sandbox.server import serve  # noqa: PLC0415

    try:
        options = SandboxOptions.model_validate(values)
    except ValidationError as error:
        raise typer.BadParameter(explain(error, _option)) from None

    def announce(listening: "Sandbox") -> None:
        sys.stdout.write(_document(listening, options) if as_json else _line(listening, options))
        sys.stdout.flush()

    try:
        uvloop.run(serve(options, announce))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise CannotListenError(
            f"cannot listen on {options.host}:{options.port}: {reason}; give another --port, or 0"
        ) from None


def _option(setting: str) -> str:
    """Returns the option that sets a setting."""
    return "--fault" if setting == "faults" else f"--{setting.replace('_', '-')}"


def _line(listening: "Sandbox", options: "SandboxOptions") -> str:
    examples = ", ".join(listening.simulation.world.examples(_EXAMPLES))
    known = f"{options.consignments:,} consignments" + (f" such as {examples}" if examples else "")
    return f"{listening.url} has {known}; to use it: export CANCELLIST_API_URL={listening.url}\n"


def _document(listening: "Sandbox", options: "SandboxOptions") -> str:
    import orjson  # noqa: PLC0415

    document = {
        "url": listening.url,
        "host": listening.host,
        "port": listening.port,
        "pid": os.getpid(),
        "seed": options.seed,
        "consignments": options.consignments,
        "mix": options.mix,
        "references": listening.simulation.world.examples(_EXAMPLES),
        "environment": {"CANCELLIST_API_URL": listening.url},
        "settings": listening.settings.model_dump(mode="json"),
    }
    return orjson.dumps(document).decode() + "\n"
