"""The command that runs a sandbox: `cancellist sandbox`, or `python -m cancellist.sandbox`."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cancellist.sandbox.answers.style import Style

if TYPE_CHECKING:
    from cancellist.sandbox.options import SandboxOptions
    from cancellist.sandbox.server import Sandbox

_EXAMPLES = 3


class CannotListenError(typer.TyperException):
    """The sandbox cannot listen on its address."""

    code = "cannot_listen"


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free port.")] = 8089,
    consignments: Annotated[int, typer.Option(help="Number of consignments.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same consignments and faults.")] = 1,
    mix: Annotated[
        str | None,
        typer.Option(help="Weights of the consignments' states: STATE=WEIGHT,..."),
    ] = None,
    latency_ms: Annotated[float, typer.Option(help="Time that each call takes.")] = 0,
    jitter_ms: Annotated[float, typer.Option(help="Each call takes up to this much less or more.")] = 0,
    per_reference_ms: Annotated[float, typer.Option(help="Time added for each reference of a list call.")] = 0,
    list_knee: Annotated[
        int | None,
        typer.Option(
            help="Above this many references in a list, each reference takes longer, in proportion to the list."
        ),
    ] = None,
    saturation: Annotated[
        int | None,
        typer.Option(help="Above this many calls at once, each call takes longer, in proportion to their number."),
    ] = None,
    list_limit: Annotated[int, typer.Option(help="Most references in a list call; more get 413.")] = 10_000,
    capacity: Annotated[int | None, typer.Option(help="Most calls at once; more get 429.")] = None,
    rate: Annotated[float | None, typer.Option(help="Most calls in any one second; more get 429.")] = None,
    retry_after_s: Annotated[
        float | None, typer.Option(help="Retry-After header of answers 429 and 503, in seconds.")
    ] = None,
    retry_after_date: Annotated[bool, typer.Option("--retry-after-date", help="Send Retry-After as a date.")] = False,
    api_key: Annotated[
        str | None, typer.Option(envvar="CANCELLIST_SANDBOX_KEY", help="Subscription key that calls must carry.")
    ] = None,
    gzip: Annotated[bool, typer.Option(help="Compress answers of 1 KB and more if the client accepts gzip.")] = True,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SCOPE:]KIND=PROBABILITY",
            help="A fault and how often it happens; repeatable. `--fault help` lists all faults.",
        ),
    ] = None,
    poison: Annotated[
        int | None,
        typer.Option(metavar="400|404", help="Answer a whole list with this status if one reference in it is unknown."),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REFERENCE=[SCOPE:]KIND[*TIMES]",
            help="A fault for each call with this reference, or for the first few (TIMES); repeatable.",
        ),
    ] = None,
    faults_for_s: Annotated[
        float | None,
        typer.Option(help="Random faults end this long after the first call that they apply to."),
    ] = None,
    refusal_words: Annotated[
        Style,
        typer.Option(
            help="How refusals are worded: own text for each reason, one generic text, the state's name, or a code."
        ),
    ] = Style.OWN,
    manifested_cancellable: Annotated[
        bool,
        typer.Option(
            "--manifested-cancellable",
            help="Allow cancelling in Manifested, Dispatched, Collected, InTransit and most later states.",
        ),
    ] = False,
    ready_to_ship_refused: Annotated[
        bool,
        typer.Option(
            "--ready-to-ship-refused",
            help="Refuse to cancel ReadyToShip consignments until they are set back to Allocated.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse calls without the right Content-Type and electio-api-version headers."),
    ] = False,
    ignored_filters: Annotated[
        list[str] | None,
        typer.Option("--ignore-filter", metavar="NAME", help="Ignore this filter in searches. Can be repeated."),
    ] = None,
    deallocate_first: Annotated[
        bool,
        typer.Option("--deallocate-first", help="Refuse to cancel allocated consignments until they are deallocated."),
    ] = False,
    slow_ms: Annotated[float, typer.Option(help="Time that the fault `slow` adds to a call.")] = 1_000,
    late_ms: Annotated[float, typer.Option(help="How late a call takes effect with the faults `...-late`.")] = 2_000,
    stale_s: Annotated[float, typer.Option(help="Age of the answers with the faults `stale-...`.")] = 300,
    surplus_ms: Annotated[float, typer.Option(help="How late the fault `surplus-late` writes.")] = 20,
    hang_ms: Annotated[float, typer.Option(help="Time until a hanging call is closed.")] = 300_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document once the sandbox listens.")] = False,
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
