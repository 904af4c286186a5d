"""The options of the command that runs a sandbox."""

from typing import Annotated

import typer

from cancellist.sandbox.answers.style import Style

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes any free port.")]
Consignments = Annotated[int, typer.Option(help="Number of consignments.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same consignments and faults.")]
Mix = Annotated[
    str | None,
    typer.Option(help="Weights of the consignments' states: STATE=WEIGHT,..."),
]
LatencyMs = Annotated[float, typer.Option(help="Time that each call takes.")]
JitterMs = Annotated[float, typer.Option(help="Each call takes up to this much less or more.")]
PerReferenceMs = Annotated[float, typer.Option(help="Time added for each reference of a list call.")]
ListKnee = Annotated[
    int | None,
    typer.Option(help="Above this many references in a list, each reference takes longer, in proportion to the list."),
]
Saturation = Annotated[
    int | None,
    typer.Option(help="Above this many calls at once, each call takes longer, in proportion to their number."),
]
ListLimit = Annotated[int, typer.Option(help="Most references in a list call; more get 413.")]
Capacity = Annotated[int | None, typer.Option(help="Most calls at once; more get 429.")]
Rate = Annotated[float | None, typer.Option(help="Most calls in any one second; more get 429.")]
RetryAfterS = Annotated[float | None, typer.Option(help="Retry-After header of answers 429 and 503, in seconds.")]
RetryAfterDate = Annotated[bool, typer.Option("--retry-after-date", help="Send Retry-After as a date.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="CANCELLIST_SANDBOX_KEY", help="Subscription key that calls must carry.")
]
Gzip = Annotated[bool, typer.Option(help="Compress answers of 1 KB and more if the client accepts gzip.")]
Fault = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[SCOPE:]KIND=PROBABILITY",
        help="A fault and how often it happens; repeatable. `--fault help` lists all faults.",
    ),
]
Poison = Annotated[
    int | None,
    typer.Option(metavar="400|404", help="Answer a whole list with this status if one reference in it is unknown."),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        metavar="REFERENCE=[SCOPE:]KIND[*TIMES]",
        help="A fault for each call with this reference, or for the first few (TIMES); repeatable.",
    ),
]
FaultsForS = Annotated[
    float | None,
    typer.Option(help="Random faults end this long after the first call that they apply to."),
]
RefusalWords = Annotated[
    Style,
    typer.Option(
        help="How refusals are worded: own text for each reason, one generic text, the state's name, or a code."
    ),
]
ManifestedCancellable = Annotated[
    bool,
    typer.Option(
        "--manifested-cancellable",
        help="Allow cancelling in Manifested, Dispatched, Collected, InTransit and most later states.",
    ),
]
ReadyToShipRefused = Annotated[
    bool,
    typer.Option(
        "--ready-to-ship-refused",
        help="Refuse to cancel ReadyToShip consignments until they are set back to Allocated.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Refuse calls without the right Content-Type and electio-api-version headers."),
]
IgnoredFilters = Annotated[
    list[str] | None,
    typer.Option("--ignore-filter", metavar="NAME", help="Ignore this filter in searches. Can be repeated."),
]
DeallocateFirst = Annotated[
    bool,
    typer.Option("--deallocate-first", help="Refuse to cancel allocated consignments until they are deallocated."),
]
SlowMs = Annotated[float, typer.Option(help="Time that the fault `slow` adds to a call.")]
LateMs = Annotated[float, typer.Option(help="How late a call takes effect with the faults `...-late`.")]
StaleS = Annotated[float, typer.Option(help="Age of the answers with the faults `stale-...`.")]
SurplusMs = Annotated[float, typer.Option(help="How late the fault `surplus-late` writes.")]
HangMs = Annotated[float, typer.Option(help="Time until a hanging call is closed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document once the sandbox listens.")]
