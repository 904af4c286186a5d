"""Accounts: how each stands, and stopping one or letting it go on."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from cancellist.api.account_schemas import Account, Accounts
from cancellist.api.auth import Operator, Reader
from cancellist.api.common import COMMON
from cancellist.api.context import Context, InContext
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.problems import ProblemError, declared
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import account_status, accounts, control, drains, hosts
from cancellist.jobs.ledger.views.json_views import account_view

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

_MAX_TEXT: Final = 500


@router.get("", response_model=Accounts, responses=declared(*COMMON))
async def show(context: InContext, _: Reader) -> Any:
    """Every account as it stands."""
    return JsonAnswer({"accounts": [account_view(status) for status in await _statuses(context)]})


@router.post("/{account}/pause", response_model=Account, responses=declared(*COMMON, "not_found"))
async def pause(account: str, context: InContext, _: Operator) -> Any:
    """Pauses an account: none of its jobs goes on. What is in flight ends as it ends."""
    await _check(context, account)
    await control.pause_account(context.ledger, account)
    return await _one(context, account)


@router.post(
    "/{account}/resume",
    response_model=Account,
    responses=declared(*COMMON, "not_found", "new_host", "input", "validation"),
)
async def resume(
    account: str,
    context: InContext,
    caller: Operator,
    host: Annotated[
        str | None,
        Query(max_length=_MAX_TEXT, description="confirms a platform that was never called, by its host"),
    ] = None,
) -> Any:
    """Lets an account go on, and has an open breaker probe at once; jobs that are paused one by one stay so."""
    await _check(context, account)
    if host is not None:
        await hosts.check(context.ledger, account, host, caller.name)
    per_call = context.options.of(account).configured.max_references_per_call
    names = await control.resume_account(context.ledger, account, per_call)
    await drains.schedule(context.ledger, account, names)
    return await _one(context, account)


async def _check(context: Context, account: str) -> None:
    try:
        await accounts.check(context.ledger, account, context.options.accounts)
    except InputError as error:
        raise ProblemError("not_found", error.message, hint="GET /v1/accounts lists those there are") from None


async def _statuses(context: Context) -> list[account_status.AccountStatus]:
    known = {name: own.configured for name, own in context.options.accounts.items()}
    return await account_status.statuses(context.ledger, known)


async def _one(context: Context, account: str) -> JsonAnswer:
    found = next(status for status in await _statuses(context) if status.name == account)
    return JsonAnswer(account_view(found))
