"""What has changed in an account's flow, in words for the log."""

from collections.abc import Mapping
from dataclasses import dataclass

from cancellist.jobs.diagnostics.advice import SettingNames, advice
from cancellist.jobs.flow.circuit_breaker import Breaker, Mode
from cancellist.jobs.flow.controller import FlowState

_DEFAULT = SettingNames()


def opened_why(breaker: Breaker, names: SettingNames = _DEFAULT) -> str:
    """Why a breaker is open, and what to do, in words."""
    return f"{breaker.why.rstrip('.')}; {advice(breaker.kind, names)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed, worth a line in the log.

    Attributes:
        event: what changed, such as `breaker opened`.
        facts: the figures and words that go with it.
        grave: a person may have to do something.
        passing: it comes with every probe: a line for the curious.
    """

    event: str
    facts: Mapping[str, str | int | float]
    grave: bool = False
    passing: bool = False


def changes(
    before: FlowState | None,
    after: FlowState,
    names: SettingNames = _DEFAULT,
) -> tuple[Change, ...]:
    """What a move has changed that is worth a line in the log."""
    found = []
    old = before.breaker if before else Breaker()
    new = after.breaker
    if new.mode is not old.mode:
        facts: dict[str, str | int | float] = {"why": new.why, "kind": new.kind.value if new.kind else ""}
        match new.mode:
            case Mode.OPEN if old.mode is Mode.CLOSED:
                facts |= {"do": advice(new.kind, names), "probe_in_ms": new.next_probe_ms - after.at_ms}
                found.append(Change("breaker opened", facts, grave=True))
            case Mode.OPEN:
                facts |= {"tries": new.tries, "probe_in_ms": new.next_probe_ms - after.at_ms}
                found.append(Change("breaker still open", facts, passing=True))
            case Mode.HALF_OPEN:
                found.append(Change("breaker half open", facts | {"tries": new.tries}, passing=True))
            case Mode.CLOSED:
                found.append(Change("breaker closed", facts | {"tries": new.tries}))
    was = before.lists.in_force if before else 0
    if was and after.lists.in_force != was:
        found.append(Change("list size changed", {"from": was, "to": after.lists.in_force}))
    paced = before.pacing.interval_us if before else 0
    if bool(after.pacing.interval_us) != bool(paced):
        if after.pacing.interval_us:
            found.append(Change("rate learned", {"calls_per_second": round(1e6 / after.pacing.interval_us, 2)}))
        else:
            found.append(Change("rate dropped", {"calls_per_second": round(1e6 / paced, 2)}))
    return tuple(found)
