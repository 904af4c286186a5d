"""Results of a job: a page as JSON, or the whole as a stream of CSV, JSON lines or Parquet."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from cancellist.api import cursors
from cancellist.api.auth import Reader
from cancellist.api.common import COMMON, job_id
from cancellist.api.context import Context, InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.pages import ResultsQuery
from cancellist.api.problems import ProblemError, declared
from cancellist.api.schemas import Results
from cancellist.jobs.errors import ResultsGoneError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger import results as ledger_results
from cancellist.jobs.ledger.views import result_parquet
from cancellist.jobs.ledger.views.json_views import result_view
from cancellist.jobs.ledger.views.result_lines import CsvLines, json_lines
from cancellist.jobs.ledger.views.result_parquet import ParquetPages
from cancellist.jobs.model import JobRecord, Outcome, Result

router = APIRouter(tags=["results"])

_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_CSV: Final = "text/csv"
_PARQUET: Final = result_parquet.MEDIA_TYPE
FORMS: Final = (_JSON, _NDJSON, _CSV, _PARQUET)
_GONE: Final = "Cancellist-Results-Gone"
_STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {form: {"schema": {"type": "string"}} for form in (_NDJSON, _CSV, _PARQUET)},
        "headers": {_GONE: {"description": "how many results were trimmed", "schema": {"type": "integer"}}},
    }
}


@router.get(
    "/v1/jobs/{job}/results",
    response_model=Results,
    responses={
        **declared(*COMMON, "unknown_job", "not_found", "not_acceptable", "results_gone", "validation"),
        **_STREAMS,
    },
)
async def results(
    job: str,
    context: InContext,
    _: Reader,
    query: Annotated[ResultsQuery, Query()],
    accept: Annotated[str | None, Header(description="the form that is wanted")] = None,
) -> Any:
    """Results in the order in which they were written.

    As JSON in pages: `next` is the cursor of the page that follows, and stays good while the job goes on. `complete`
    says that the job has ended and no page follows. As `text/csv`, `application/x-ndjson` or
    `application/vnd.apache.parquet` all that there are by now.
    """
    form = chosen(accept)
    record = await records.get(context.ledger, job_id(job))
    gone = await ledger_results.gone(context.ledger, record)
    if gone and gone == record.settled:
        raise ResultsGoneError(f"all {gone:,} results of job {record.id} are gone")
    headers = {_GONE: str(gone)}
    if form == _JSON:
        return JsonAnswer(await _page(context, record, query, gone), headers=headers)
    if query.cursor is not None:
        raise ProblemError("validation", "cursor: a stream has no pages")
    stream = _stream(context, record.id, query.outcomes, form)
    return StreamingResponse(stream, media_type=form, headers=headers)


def chosen(accept: str | None) -> str:
    """The form that a client likes best of those there are.

    Raises:
        ProblemError: it takes none of them.
    """
    ranges = [part for part in (accept or "").split(",") if part.strip()]
    if not ranges:
        return _JSON
    forms = FORMS if result_parquet.is_there() else [form for form in FORMS if form != _PARQUET]
    best = max(forms, key=lambda form: quality(ranges, form))
    if not quality(ranges, best):
        missing = "; Parquet cannot, without pyarrow on this machine" if _PARQUET not in forms else ""
        raise ProblemError("not_acceptable", f"none of the forms in Accept can be given{missing}")
    return best


def quality(ranges: Sequence[str], form: str) -> float:
    """How well a client likes a form: what names it most closely says so."""
    closest, quality = -1, 0.0
    for part in ranges:
        name, *parameters = [word.strip().lower() for word in part.split(";")]
        closeness = {form: 2, f"{form.partition('/')[0]}/*": 1, "*/*": 0}.get(name, -1)
        if closeness > closest:
            closest, quality = closeness, _q(parameters)
    return quality


def _q(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return max(0.0, min(1.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


async def _page(context: Context, record: JobRecord, query: ResultsQuery, gone: int) -> dict[str, Any]:
    place = cursors.to_results(record.id, query.cursor)
    page = await ledger_results.page(context.ledger, record.id, place, limit=query.limit, outcomes=query.outcomes)
    complete = page.at_end and record.state.ended
    return {
        "results": [result_view(result) for result in page.results],
        "next": None if complete else cursors.of_results(record.id, page.place),
        "complete": complete,
        "gone": gone,
    }


async def _stream(context: Context, job: str, outcomes: frozenset[Outcome], form: str) -> AsyncIterator[bytes]:
    """All results that there are by now; a fault cuts the stream off, so that a client sees that it is not whole."""
    write = await _writer(form)
    if start := write([]):
        yield start
    async with aclosing(ledger_results.of_job(context.ledger, job)) as pages:
        async for _, page in pages:
            wanted = [result for result in page if result.outcome in outcomes] if outcomes else page
            block = await asyncio.to_thread(write, wanted) if isinstance(write, ParquetPages) else write(wanted)
            if block:
                yield block
    if isinstance(write, ParquetPages):
        yield await asyncio.to_thread(write.end)


async def _writer(form: str) -> Callable[[Sequence[Result]], bytes]:
    if form == _PARQUET:
        return await asyncio.to_thread(ParquetPages)
    return json_lines if form == _NDJSON else CsvLines()
