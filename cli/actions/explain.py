"""What `cancellist explain` does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cancellist.cli import session
from cancellist.cli.terminal import cell, emit, fitting, heading, say, show
from cancellist.config.loading import load
from cancellist.jobs.errors import CancellistError
from cancellist.jobs.ledger import failed_calls, records, refusal_texts, results
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.ledger.views.json_views import result_view
from cancellist.jobs.model import JobRecord, Outcome, Result
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.refusal_texts import Meaning
from cancellist.jobs.times import rfc3339

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class ReferenceHistory:
    """What the ledger knows of one reference of one job. Calls are in order of time."""

    job: JobRecord
    reference: str
    result: Result | None
    calls: list[TroubledCall]

    def document(self) -> dict[str, Any]:
        """Returns it as a JSON document."""
        return {
            "job": self.job.id,
            "reference": self.reference,
            "state": self.job.state.value,
            "result": result_view(self.result) if self.result else None,
            "calls": [_call(call) for call in self.calls],
        }


def explain_reference(job: str, named: str, *, as_json: bool) -> None:
    """Prints the failed calls of a reference, and its result."""
    found = session.run(_look(job, normalise(named)))
    if as_json:
        emit(found.document())
        return
    if found.calls:
        rows = [_row(call) for call in found.calls]
        kept = fitting(_COLUMNS, rows, _LEFT_OUT, {"answer": _LEAST_WRAPPED})
        table = heading(*(_COLUMNS[place] for place in kept), right=["ms"], wrapped=["answer"])
        for row in rows:
            table.add_row(*(row[place] for place in kept))
        show(table)
    else:
        say("no failed call with this reference is recorded")
    _say_result(found)


def explain_texts(account: str, *, as_json: bool) -> None:
    """Prints the refusal texts of an account, and the states that reads found behind them."""
    learnt = session.run(_learnt(account))
    if as_json:
        rows = [{"words": w, "meaning": m.state_class, "agreed": m.agreed} for w, m in learnt.items()]
        emit({"account": account, "words": rows})
        return
    if not learnt:
        say("nothing is known yet: no refusal was followed by a read of the state")
        return
    table = heading("words", "state behind them", "reads that agreed", right=["reads that agreed"], wrapped=["words"])
    for text, meaning in sorted(learnt.items(), key=lambda item: -item[1].agreed):
        table.add_row(cell(text), meaning.state_class, str(meaning.agreed))
    show(table)
    say(
        "no result depends on these: the state behind each refusal is read. To trust a text without that read, set "
        "CANCELLIST_REFUSAL_WORDS"
    )


_COLUMNS = ("at", "call", "status", "ms", "answer", "correlation")
_LEFT_OUT = ("correlation", "ms", "at")
_LEAST_WRAPPED = 24
_KINDS = {"calls": "cancel", "alone": "cancel, alone", "reads": "read state"}


async def _look(job: str, named: str) -> ReferenceHistory:
    async with session.ledger_of(load()) as opened:
        record = await records.get(opened.ledger, job)
        result = None
        async for _, page in results.of_job(opened.ledger, job):
            result = next((r for r in page if r.reference == named), None)
            if result:
                break
        if result is None and record.state.ended:
            raise CancellistError(f"job {job} has no result for {named}; `cancellist results {job}` lists those it has")
        calls = [c async for c in failed_calls.of_reference(opened.ledger, record.order.account, record.id, named)]
        return ReferenceHistory(record, named, result, calls[::-1])


async def _learnt(account: str) -> dict[str, Meaning]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        await session.check_account(opened.ledger, settings, account)
        return await refusal_texts.learnt(opened.ledger, account)


def _say_result(found: ReferenceHistory) -> None:
    if found.result is None:
        say(f"{found.reference} has no result yet; job {found.job.id} is {found.job.state}")
        return
    r = found.result
    facts = [f"{r.attempts} calls contained it"]
    if r.state:
        facts.append(f"its state was read as {r.state}")
    elif r.outcome is Outcome.NOT_FOUND and r.status is not None:
        facts.append(f"the read of its state was answered HTTP {r.status}")
    elif r.status is not None:
        facts.append(f"HTTP {r.status}")
    if r.message:
        facts.append(f"the platform said of the call: {r.message}")
    say(f"{found.reference} is {r.outcome} since {rfc3339(r.at_ms)}: {'; '.join(facts)}")


def _row(call: TroubledCall) -> tuple["Text", ...]:
    kind, answer = _KINDS.get(call.kind, call.kind), f"{call.reason} ({call.references} references)"
    texts = (rfc3339(call.at_ms), kind, call.status or "none", call.took_ms, answer, call.correlation_id or "")
    return tuple(map(cell, texts))


def _call(call: TroubledCall) -> dict[str, Any]:
    return {
        "at": rfc3339(call.at_ms),
        "kind": call.kind,
        "status": call.status,
        "reason": call.reason,
        "correlation_id": call.correlation_id,
        "took_ms": call.took_ms,
        "references": call.references,
    }
