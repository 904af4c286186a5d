"""The accounts that a worker serves. Each has a client, limits and policies of its own."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.ledger import flow_state
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.responses.refusal_texts import RefusalTexts
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.safety.safeguards import Safeguards
from cancellist.worker.calls.attempt import Attempt
from cancellist.worker.calls.record_keeping import RecordKeeper
from cancellist.worker.flow_policy import flow_policy, list_search
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.snapshots.store import SnapshotStore

log = structlog.get_logger()

_KEYS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Account:
    """One platform subscription as this process serves it."""

    name: str
    terms: Terms
    policy: RetryPolicy
    flow: FlowPolicy
    wording: SettingNames
    client: PlatformClient
    attempt: Attempt
    safeguards: Safeguards


def terms_of(settings: Settings, name: str) -> Terms:
    """The limits of an account."""
    own, lease_s = settings.of(name), settings.lease_seconds
    return Terms(
        limit=own.max_concurrent_calls,
        initial=settings.limit_initial,
        interval_us=own.interval_us * own.requests_per_call,
        burst=own.burst,
        per_call=own.max_references_per_call,
        linger_ms=own.linger_ms,
        lease_ms=round(lease_s * 1000),
        search=list_search(settings),
        platform=own.environment,
        requests=own.requests_per_call,
        keeps_records=settings.snapshot_dir is not None,
    )


def client_of(settings: Settings, name: str) -> PlatformClient:
    """The platform's client for an account; it is not open yet.

    Raises:
        SettingsError: the account's key file holds no key.
    """
    own = settings.of(name)
    read_key = partial(settings.key, name)
    return PlatformClient(
        own.api_url,
        read_key(),
        timeout_s=own.call_timeout,
        read_key=read_key if own.api_key_file else None,
        version=own.api_version,
    )


async def open_account(
    settings: Settings, name: str, stack: contextlib.AsyncExitStack, snapshots: SnapshotStore | None = None
) -> Account:
    """Opens an account; `stack` closes its connections, and `snapshots` keeps records before calls."""
    own, lease_s = settings.of(name), settings.lease_seconds
    terms = terms_of(settings, name)
    policy = RetryPolicy(own.max_attempts, own.retry_base, own.retry_cap, own.call_timeout)
    client = client_of(settings, name)
    await stack.enter_async_context(client)
    known = tuple((re.compile(words, re.IGNORECASE), meant) for words, meant in own.refusal_words.items())
    attempt = Attempt(
        client,
        policy,
        lease_s=lease_s,
        known=RefusalTexts(known),
        deallocate_first=own.deallocate_first,
        keeper=RecordKeeper(client, snapshots, name, own.host),
    )
    flow = flow_policy(settings, ceiling=terms.limit, max_references=terms.per_call, interval_us=terms.interval_us)
    log.info(
        "account served", account=name, platform=own.api_url, calls=terms.limit, references_per_call=terms.per_call
    )
    return Account(name, terms, policy, flow, settings.wording(name), client, attempt, own.safeguards)


class KeyWatch:
    """Lets an account probe at once where its refused key may have been replaced.

    A person may have replaced the key before the worker's start, or by a new key file.
    """

    def __init__(self, ledger: Ledger, accounts: Iterable[Account], wake: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._accounts = tuple(accounts)
        self._unprobed = {account.name for account in self._accounts}
        self._wake = wake

    async def run(self) -> None:
        """Checks every account once, then waits for a second."""
        for account in self._accounts:
            if await account.client.mended():
                self._unprobed.add(account.name)
        for name in sorted(self._unprobed):
            await flow_state.probe(self._ledger, name)
            self._unprobed.discard(name)
            self._wake(name)
        await asyncio.sleep(_KEYS_EVERY_S)
