"""What is no answer of the platform is an outage: it is told, waited out, and burns nothing."""

from collections import Counter

import pytest

from cancellist.jobs.ledger import accounts, records
from cancellist.jobs.model import Outcome
from tests.acceptance.other_platforms import disagreeing
from tests.support.stage import Stage, all_results, ended, log_lines, submit
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

ALL = ("list", "single", "reads")
OUTAGES = [
    ("404-bodyless-before", ALL), ("404-bodyless-before", ("reads",)), ("404-bodyless-before", ("list", "single")),
    ("400-bodyless-before", ALL), ("400-problem-before", ALL), ("redirect", ALL), ("maintenance-before", ALL),
    ("maintenance-page-before", ALL), ("maintenance-before", ("reads",)), ("503-bodyless-before", ALL),
    ("in-string", ("list", "reads")), ("by-reference", ("list",)),
]  # fmt: skip
LASTS_S = 4


@pytest.mark.parametrize(("kind", "scopes"), OUTAGES, ids=[f"{kind} {'-'.join(scopes)}" for kind, scopes in OUTAGES])
async def test_an_outage_is_told_and_burns_nothing(valkey_stage: Stage, kind: str, scopes: tuple[str, ...]) -> None:
    world, faults = valkey_stage.platform, {f"{scope}:{kind}": 1.0 for scope in scopes}
    world.send("PUT", "/sandbox/settings", {"faults": faults, "refusal_words": "generic"})
    references = world.references(950, unknown=50)
    worker = valkey_stage.worker(max_attempts=3, call_timeout=2, breaker_outage_most_ms=500)
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, references)
        await until(lambda: accounts.gate(ledger, "default"), lambda gate: gate.breaker is not None, 30)
        assert (await accounts.gate(ledger, "default")).breaker.why
        before = await records.get(ledger, job)
        assert not {Outcome.FAILED, Outcome.UNCONFIRMED} & before.outcomes.keys()
        await until(ledger.now_ms, lambda now: now > before.created_at_ms + LASTS_S * 1000, LASTS_S + 5)
        world.send("PUT", "/sandbox/settings", {"faults": {}})
        await ended(ledger, job, 60)
        found = await all_results(ledger, job)
    assert not disagreeing(found, world.record(references))
    outcomes = Counter(r.outcome for r in found)
    assert not {Outcome.FAILED, Outcome.UNCONFIRMED} & outcomes.keys()
    assert outcomes[Outcome.NOT_FOUND] == 50
    assert worker.end() == 0
    assert any(line["event"] == "breaker opened" for line in log_lines(worker))
