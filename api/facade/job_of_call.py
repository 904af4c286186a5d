"""Makes a job of a call to the platform, and waits for its end, or tells that it goes on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive

from cancellist.api import submitting, waiting
from cancellist.api.auth import Caller
from cancellist.api.context import Context
from cancellist.api.facade import platform_errors, platform_words
from cancellist.api.facade.asked_references import AskedList
from cancellist.api.facade.list_entries import ListEntries, NothingValidError
from cancellist.api.job_request import checked_key
from cancellist.api.problems import ClientGoneError, request_id_of
from cancellist.api.request_body import Body
from cancellist.jobs.errors import CancellistError
from cancellist.jobs.ledger import results
from cancellist.jobs.ledger.submitting.enqueue import Submitted, Wanted
from cancellist.jobs.model import DEFAULT_ACCOUNT, Priority

log = structlog.get_logger()

OUTCOMES: Final = "Cancellist-Outcomes"
"""The header that tells how many references have each outcome."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request, and what it says of its job and of its answer."""

    request: Request
    context: Context
    caller: Caller
    key: str | None
    prefer: str | None
    plan: str | None

    @property
    def account(self) -> str:
        """The account that its path names."""
        return str(self.request.path_params.get("account", DEFAULT_ACCOUNT))

    def wanted(self) -> Wanted:
        """The job that it becomes."""
        return Wanted(
            account=self.account,
            reason=None,
            requested_by=self.caller.name,
            submitted_by=self.caller.name,
            priority=Priority.NORMAL,
            deadline=None,
            start_at=None,
            idempotency_key=checked_key(self.key),
            plan=self.plan,
        )


async def hand_in_and_wait(
    asking: Asking, asked: AskedList, values: AsyncGenerator[list[str], None], body: Body | None
) -> dict[str, str] | Response:
    """Hands in what is asked for, and waits for what becomes of it.

    Returns the headers of the answer once `asked` has all results; else the answer, that it goes on.
    """
    options = asking.context.options
    entries = ListEntries(values, asked, options.of(asking.account).pattern, options.limits.max_rows)
    try:
        submitted = await submitting.hand_in(asking.context, asking.wanted(), entries, body)
    except NothingValidError:
        return {OUTCOMES: platform_words.tally(asked.counts())}
    headers = _headers(asking, submitted)
    try:
        if await _has_ended(asking, submitted.job):
            async with aclosing(results.of_job(asking.context.ledger, submitted.job)) as pages:
                async for _, page in pages:
                    asked.note(page)
            return {**headers, OUTCOMES: platform_words.tally(asked.counts())}
    except CancellistError as error:  # it is handed in, and its address must be told
        log.warning("an answer cannot have its results", job=submitted.job, code=error.code, reason=str(error))
    return _goes_on(asking, submitted, headers)


def _headers(asking: Asking, submitted: Submitted) -> dict[str, str]:
    headers = {"Location": f"{asking.context.options.proxies.prefix}/v1/jobs/{submitted.job}"}
    if submitted.same:
        headers["Idempotent-Replayed"] = "true"
    if (wait_s := waiting.asked_s(asking.prefer, asking.context.options.limits.max_wait_s)) is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
    return headers


def _goes_on(asking: Asking, submitted: Submitted, headers: dict[str, str]) -> Response:
    words = (
        f"The cancellation of {submitted.total:,} consignments is handed in as job {submitted.job}, and what becomes "
        "of them cannot be told yet: ask the address in the header Location"
    )
    request_id = request_id_of(asking.request.scope)
    return json_response(platform_errors.body("cancellation_goes_on", words, request_id), 202, headers)


def json_response(content: Any, status: int, headers: dict[str, str]) -> Response:
    """An answer in JSON, as the platform writes it."""
    return Response(orjson.dumps(content), status, headers=headers, media_type=platform_errors.JSON)


async def _has_ended(asking: Asking, job: str) -> bool:
    """Waits for the end of a job, within the limit; says whether it has come.

    Raises:
        ClientGoneError: nobody waits for it any longer; it goes on.
        LedgerError: the server does not answer.
    """
    most_s = asking.context.options.limits.max_wait_s
    asked_s = waiting.asked_s(asking.prefer, most_s)
    ended = asyncio.ensure_future(waiting.until_ended(asking.context, job, most_s if asked_s is None else asked_s))
    gone = asyncio.ensure_future(_until_gone(asking.request.receive))
    try:
        await asyncio.wait((ended, gone), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result()
        raise ClientGoneError
    finally:
        ended.cancel()
        gone.cancel()
        await asyncio.gather(ended, gone, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
