"""One pre-flight: reads states, counts what is open, and puts the report together."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cancellist.config.settings import Settings
from cancellist.jobs.ledger import open_count, permits
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.safety.preflight import Facts
from cancellist.jobs.safety.preflight_report import report
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.worker.accounts import terms_of
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight import open_consignments
from cancellist.worker.preflight.pace import pace_of
from cancellist.worker.preflight.record_reader import RecordReader

_AT_ONCE: Final = 8


async def fly(
    ledger: Ledger, settings: Settings, account: str, client: PlatformClient, asked: PreflightRequest
) -> Mapping[str, Any]:
    """The report on an input of an account. All calls count against the account's limits.

    Raises:
        NotPermittedError: the account may make no call now, nor soon.
        LedgerError: the server does not answer.
    """
    own, terms = settings.of(account), terms_of(settings, account)
    permit = partial(permits.permitted, ledger, account, terms, keep_s=own.call_timeout + 1)
    reader = RecordReader(client, permit, at_once=min(_AT_ONCE, terms.limit), now_ms=await ledger.now_ms())
    reading = await reader.read(asked.drawn)
    there = await open_consignments.count(client, permit)
    if there.count is not None:
        await open_count.note(ledger, account, there.count)
    return report(
        Facts(
            account=account,
            platform=own.environment.host,
            environment=own.environment.kind,
            intake=asked.intake,
            seen=reading.seen,
            overlap=asked.overlap,
            open=there,
            pace=await pace_of(ledger, account, terms, reading.call_s),
            now_ms=await ledger.now_ms(),
            deadline_ms=asked.deadline_ms,
        )
    )
