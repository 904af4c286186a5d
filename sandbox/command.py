"""The command that runs a sandbox: `cancellist sandbox`, or `python -m sandbox`."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cancellist.sandbox.style import Style

if TYPE_CHECKING:
    from cancellist.sandbox.options import SandboxOptions
    from cancellist.sandbox.server import Sandbox

_EXAMPLES = 3


class CannotListenError(typer.TyperException):
    """The address cannot be had."""

    code = "cannot_listen"


def sandbox(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes any free port.")] = 8089,
    consignments: Annotated[int, typer.Option(help="How many consignments there are.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same consignments and the same faults.")] = 1,
    mix: Annotated[
        str | None, typer.Option(help="Weights of their states, such as Allocated=90,Manifested=6,Cancelled=4.")
    ] = None,
    latency_ms: Annotated[float, typer.Option(help="How long a call takes.")] = 0,
    jitter_ms: Annotated[float, typer.Option(help="A call takes up to this much less or more.")] = 0,
    per_reference_ms: Annotated[float, typer.Option(help="Added for each reference that a list names.")] = 0,
    list_knee: Annotated[
        int | None, typer.Option(help="References beyond which the time of each grows in proportion to the list.")
    ] = None,
    saturation: Annotated[
        int | None, typer.Option(help="Calls at once beyond which each takes longer in proportion.")
    ] = None,
    list_limit: Annotated[int, typer.Option(help="References a list may name; 413 beyond.")] = 10_000,
    capacity: Annotated[int | None, typer.Option(help="Calls worked on at once; 429 beyond.")] = None,
    rate: Annotated[float | None, typer.Option(help="Calls in any one second; 429 beyond.")] = None,
    retry_after_s: Annotated[float | None, typer.Option(help="Retry-After of answers 429 and 503.")] = None,
    retry_after_date: Annotated[bool, typer.Option("--retry-after-date", help="Send it as a date.")] = False,
    api_key: Annotated[
        str | None, typer.Option(envvar="CANCELLIST_SANDBOX_KEY", help="The subscription key that calls must bring.")
    ] = None,
    gzip: Annotated[bool, typer.Option(help="Pack answers of 1 KB and more for who accepts it.")] = True,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="[SCOPE:]KIND=PROBABILITY", help="What goes wrong, repeatable; `--fault help` lists all."),
    ] = None,
    poison: Annotated[
        int | None, typer.Option(metavar="400|404", help="Answer to a whole list with one unknown reference in it.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REFERENCE=[SCOPE:]KIND[*TIMES]",
            help="What goes wrong with each call that names a reference, or with the first few; repeatable.",
        ),
    ] = None,
    faults_for_s: Annotated[
        float | None,
        typer.Option(help="What is left to chance goes wrong for so long after the first call that it is for."),
    ] = None,
    refusal_words: Annotated[
        Style, typer.Option(help="How refusals are worded: one text for all, with the state's name, or a code.")
    ] = Style.OWN,
    manifested_cancellable: Annotated[
        bool,
        typer.Option(
            "--manifested-cancellable",
            help="Cancels in Manifested, Dispatched, Collected, InTransit and most later states too.",
        ),
    ] = False,
    ready_to_ship_refused: Annotated[
        bool,
        typer.Option("--ready-to-ship-refused", help="ReadyToShip must be set back to Allocated to be cancelled."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuses calls without the right Content-Type and electio-api-version.")
    ] = False,
    deallocate_first: Annotated[
        bool, typer.Option("--deallocate-first", help="Allocated consignments must be deallocated to be cancelled.")
    ] = False,
    slow_ms: Annotated[float, typer.Option(help="What the fault `slow` adds to a call.")] = 1_000,
    late_ms: Annotated[float, typer.Option(help="How late the faults `...-late` act.")] = 2_000,
    stale_s: Annotated[float, typer.Option(help="How old the answers of the faults `stale-...` are.")] = 300,
    surplus_ms: Annotated[float, typer.Option(help="How late the fault `surplus-late` writes.")] = 20,
    hang_ms: Annotated[float, typer.Option(help="After how long a hanging call is closed.")] = 300_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document once it listens.")] = False,
) -> None:
    """Run the local Consignments platform, with faults on request, until it is stopped.

    Example: cancellist sandbox --latency-ms 50 --fault 503-before=0.05 --fault list:half-list=0.02

    What the vendor's documents leave open can be chosen, and a fault can come with a reference. Example:
    cancellist sandbox --refusal-words generic --manifested-cancellable --strict --ready-to-ship-refused
    --fault 504-late=0.01 --at EC-000-05D-1NS=429-before

    While it runs, PUT /sandbox/settings changes it, and GET /sandbox/record says what really happened.
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
    """Reads what goes wrong at which reference, and how often."""
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
    # Imported here, as below: the other commands must not pay for what only a sandbox needs.
    from cancellist.sandbox.kinds import APPLIES, FaultKind, Scope, meaning  # noqa: PLC0415

    typer.echo("--fault [SCOPE:]KIND=PROBABILITY. A KIND without a SCOPE is for cancels, in a list and alone.")
    typer.echo("--at REFERENCE=[SCOPE:]KIND, or ...KIND*TIMES, for what goes wrong with calls that name a reference.\n")
    typer.echo(f"SCOPE is one of {', '.join(Scope)}; each fault names those that it is for.\n")
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
        raise typer.BadParameter(explain(error)) from None

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
