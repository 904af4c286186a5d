"""Scenarios as data: what the platform is like, phase by phase, and what must come of it."""

import tomllib
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate
from math import floor
from pathlib import Path
from random import Random

from cancellist.jobs.flow.controller import FlowPolicy
from tests.scenarios.simulator.engine import LEASE_MS, Engine
from tests.scenarios.simulator.platforms import ERROR_MS, ERRORS, Ending, Phase, Platform

FOLDER = Path(__file__).parents[1]
_REFUSALS = {Ending.REFUSED, Ending.OVERLOADED}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What must come of a scenario, in each phase once it has settled."""

    throughput: float = 0.9  # of the oracle's
    refused: float = 0.02  # of all calls, those apart that chance refuses at any load
    refused_whole: float = 0.02  # of all calls of the run, those included from which it had to learn
    too_long: float = 0.01  # of all calls of the run
    oscillation: float = 0.3  # of the mean limit, to either side
    recovery_s: float | None = None  # from the begin of the last phase to nine tenths of the oracle
    probes: int | None = None  # in phases in which nothing can be accepted
    paced: bool | None = None  # whether a rate is in force as the run ends: under one, workers stage no calls
    in_vain: int | None = None  # calls that end while calls are better not made, probes included


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario; `resume_s`: when a person resumes the account."""

    name: str
    what: str
    phases: tuple[Phase, ...]
    expect: Bounds
    ceiling: int = 16
    workers: int = 1
    seeds: tuple[int, ...] = (1, 2, 3)
    max_references: int = 100
    timeout_s: float = 30.0
    resume_s: float | None = None


@dataclass(slots=True)
class Figures:
    """What came of a phase."""

    throughput: float
    refused: float
    oscillation: float
    calls: int
    mean_limit: float


@dataclass(slots=True)
class Outcome:
    """What came of a run; `recovery_s` of its last phase."""

    phases: list[Figures]
    recovery_s: float
    refused: float
    too_long: float
    probes: int
    in_vain: int
    most_at_once: int
    engine: Engine = field(repr=False)


def load(path: Path) -> Scenario:
    """Reads a scenario's file."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    phases = tuple(Phase(**phase) for phase in document.pop("phases"))
    expect = Bounds(**document.pop("expect", {}))
    seeds = tuple(document.pop("seeds", (1, 2, 3)))
    return Scenario(name=path.stem, phases=phases, expect=expect, seeds=seeds, **document)


@cache
def oracle(phase: Phase, scenario: Scenario) -> float:
    """References a second for one who knows the platform; 0: none can be, or the phase is too short to settle."""
    if phase.down or phase.denied >= 1 or phase.idle or phase.settle_s >= phase.seconds:
        return 0.0
    if phase.list_limit_long:
        both = [replace(phase, list_limit=n, list_limit_long=None) for n in (phase.list_limit, phase.list_limit_long)]
        return sum(oracle(each, scenario) for each in both) / 2
    most = min(scenario.max_references, phase.list_limit)
    at_once = min(scenario.ceiling, phase.capacity or scenario.ceiling)
    good = 1 - phase.errors - phase.hangs - phase.denied
    best = max(
        calls * size * good / _slot_ms(phase, scenario, phase.call_ms(size, calls)) * 1000
        for calls in range(1, at_once + 1)
        for size in range(1, most + 1)
        if phase.call_ms(size, calls) * (1 + phase.jitter) < scenario.timeout_s * 1000
    )
    stretch = 1 + 4 * phase.tail
    return min(best / stretch, phase.rate / phase.window_s * most * good if phase.rate else best)


def _slot_ms(phase: Phase, scenario: Scenario, call_ms: float) -> float:
    """For how long a call keeps its slot: a refused one's rests for a round trip, a hanging one's for longer."""
    resting = sum(ending in _REFUSALS for ending in ERRORS) / len(ERRORS)
    timeout_ms = scenario.timeout_s * 1000
    hanging_ms = timeout_ms + min(timeout_ms, LEASE_MS)
    good = 1 - phase.errors - phase.hangs - phase.denied
    return good * call_ms + phase.errors * (ERROR_MS + resting * call_ms) + phase.hangs * hanging_ms


def run(scenario: Scenario, seed: int) -> Outcome:
    """Runs a scenario in virtual time."""
    random = Random(seed)
    platform = Platform(scenario.phases[0], random, scenario.timeout_s * 1000)
    policy = FlowPolicy(scenario.ceiling, scenario.max_references)
    engine = Engine(platform, policy, scenario.workers, random)
    if scenario.resume_s is not None:
        engine.at(scenario.resume_s * 1000, engine.resume)
    figures, begin_ms, in_vain = [], 0.0, 0
    for phase in scenario.phases:
        engine.enter(phase)
        end_ms = begin_ms + phase.seconds * 1000
        engine.run(end_ms)
        figures.append(_figures(engine, begin_ms + phase.settle_s * 1000, end_ms, oracle(phase, scenario)))
        in_vain += sum(begin_ms <= ended.at_ms < end_ms for ended in engine.ended) if phase.in_vain else 0
        begin_ms = end_ms
    last = scenario.phases[-1]
    recovery_s = _recovery_s(engine, begin_ms - last.seconds * 1000, begin_ms, oracle(last, scenario))
    refused = _share(engine, 0.0, begin_ms)
    probes = sum(ended.probe for ended in engine.ended)
    too_long = _share(engine, 0.0, begin_ms, {Ending.TOO_LONG})
    return Outcome(figures, recovery_s, refused, too_long, probes, in_vain, engine.most_at_once, engine)


def _share(engine: Engine, begin_ms: float, end_ms: float, endings: Collection[Ending] = _REFUSALS) -> float:
    ended = [e for e in engine.ended if begin_ms <= e.at_ms < end_ms]
    return sum(e.ending in endings and not e.chance for e in ended) / len(ended) if ended else 0.0


def _figures(engine: Engine, begin_ms: float, end_ms: float, ideal: float) -> Figures:
    if not ideal:
        return Figures(1.0, 0.0, 0.0, 0, 0.0)
    ended = [e for e in engine.ended if begin_ms <= e.at_ms < end_ms]
    done = sum(e.references for e in ended if e.ending is Ending.ACCEPTED)
    throughput = done / ((end_ms - begin_ms) / 1000) / ideal
    levels = [(at, floor(limit)) for at, limit in engine.limits if begin_ms <= at < end_ms]
    spans = [(later - at) for (at, _), (later, _) in zip(levels, [*levels[1:], (end_ms, 0)], strict=True)]
    mean = sum(level * span for (_, level), span in zip(levels, spans, strict=True)) / max(1.0, sum(spans))
    swing = max((abs(level - mean) for _, level in levels), default=0.0) / mean if mean else 0.0
    return Figures(throughput, _share(engine, begin_ms, end_ms), swing, len(ended), mean)


def _recovery_s(engine: Engine, begin_ms: float, end_ms: float, ideal: float) -> float:
    """Until a second begins in which nine tenths of the oracle's are done."""
    done = [(e.at_ms, e.references) for e in engine.ended if e.at_ms >= begin_ms and e.ending is Ending.ACCEPTED]
    times, sums = [at for at, _ in done], [0, *accumulate(references for _, references in done)]
    step_ms = 100.0
    at = begin_ms
    while at + 1000 <= end_ms:
        if sums[bisect_left(times, at + 1000)] - sums[bisect_left(times, at)] >= 0.9 * ideal:
            return (at - begin_ms) / 1000
        at += step_ms
    return (end_ms - begin_ms) / 1000
