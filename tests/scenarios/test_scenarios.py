"""The controllers against load models: as much as an oracle gets done, hardly a call refused, and no swinging."""

import re
from pathlib import Path
from random import Random

import orjson
import pytest

from cancellist.jobs.flow.controller import FlowPolicy, FlowState
from tests.scenarios.simulator.engine import Engine
from tests.scenarios.simulator.loads import FOLDER, load, oracle, run
from tests.scenarios.simulator.platforms import Phase, Platform

SCENARIOS = [load(path) for path in sorted(FOLDER.glob("*/*.toml"))]
ROOT = Path(__file__).parents[2]
MECHANISMS = ROOT / "docs" / "reference" / "flow-mechanisms.md"
RUNS = [pytest.param(scenario, seed, id=f"{scenario.name}-{seed}") for scenario in SCENARIOS for seed in scenario.seeds]
NOT_BEATEN = 1.03
"""Of the oracle's: more would mean that it knows less than it should."""
WANTED = {
    "constant", "capacity-steps", "knee", "saturation", "jitter", "random-errors", "rate-told", "rate-untold", "outage",
    "very-slow", "two-workers", "many-workers", "wrong-key", "list-grows", "list-limit",
    "list-limit-lifted", "list-limit-low", "list-limit-bytes",
}  # fmt: skip


@pytest.mark.parametrize(("scenario", "seed"), RUNS)
def test_the_flow_does_what_the_scenario_expects(scenario, seed):
    outcome, expect = run(scenario, seed), scenario.expect
    for phase, figures in zip(scenario.phases, outcome.phases, strict=True):
        if not oracle(phase, scenario):
            continue
        assert expect.throughput <= figures.throughput <= NOT_BEATEN
        assert figures.refused <= expect.refused
        assert figures.oscillation <= expect.oscillation
    assert outcome.refused <= expect.refused_whole
    assert outcome.too_long <= expect.too_long
    if expect.recovery_s is not None:
        assert outcome.recovery_s <= expect.recovery_s
    if expect.probes is not None:
        assert outcome.probes <= expect.probes
    if expect.in_vain is not None:
        assert outcome.in_vain <= expect.in_vain
    if expect.paced is not None:
        assert bool(outcome.engine.state.interval_us) is expect.paced
    assert outcome.most_at_once <= scenario.ceiling


def test_the_same_seed_gives_the_same_run():
    scenario = load(FOLDER / "loss" / "random-errors.toml")
    assert run(scenario, 7).phases == run(scenario, 7).phases


def test_what_is_known_is_kept_for_minutes_after_a_limit_was_lifted():
    random = Random(1)
    engine = Engine(Platform(Phase(60, capacity=12), random, 30_000.0), FlowPolicy(32), 1, random)
    engine.run(60_000)
    engine.platform.phase = Phase(340)
    engine.run(400_000)
    state = engine.state
    assert state
    kept = FlowState.unpack(orjson.loads(orjson.dumps(state.packed())))
    assert kept
    assert kept.packed() == state.packed()


def test_all_scenarios_are_there():
    assert {scenario.name for scenario in SCENARIOS} >= WANTED


def test_each_mechanism_names_a_module_and_what_fails_without_it():
    rows = re.findall(
        r"^\| (?!Mechanism |---)(.+) \| (\S+) \| `(\S+)` \|$", MECHANISMS.read_text("utf-8"), re.MULTILINE
    )
    names = {scenario.name for scenario in SCENARIOS}
    assert len(rows) > len({module for _, module, _ in rows}) > 1
    for what, module, proof in rows:
        assert (ROOT / "jobs" / "flow" / f"{module}.py").is_file(), what
        assert proof in names or (ROOT / proof).is_file(), what
