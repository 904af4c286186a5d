"""The whole examination, in the order in which one thing stands on another."""

import asyncio

from cli import session
from cli.examination import machine, platform, server
from cli.examination.platform import Subscription
from config.settings import Settings
from jobs.findings import Finding, failed, skipped
from jobs.roles import Role

_PLATFORM_S = 20.0


def examine(role: Role) -> list[Finding]:
    """Examines everything; whatever is wrong is a finding, never an error."""
    settings, read = machine.settings(role)
    names = machine.unknown_names() if settings else skipped("names", "the settings cannot be read")
    if settings is None:
        return [read, names, skipped("server", "the settings cannot be read"),
                skipped("platform", "the settings cannot be read")]  # fmt: skip
    return [read, names, *session.run(_examine(settings, role))]


async def _examine(settings: Settings, role: Role) -> list[Finding]:
    accounts = platform.subscriptions(settings)
    found, keys = await asyncio.gather(
        server.examine(settings, role, [account.name for account in accounts]),
        asyncio.gather(*(_key(account, role) for account in accounts)),
    )
    for account, key in zip(accounts, keys, strict=True):
        found += [platform.transport(account), key]
    return found


async def _key(account: Subscription, role: Role) -> Finding:
    if role is not Role.WORKER:
        return skipped(f"key {account.name}", f"a {role} does not call the platform")
    try:
        async with asyncio.timeout(_PLATFORM_S):
            return await platform.key(account)
    except TimeoutError:
        return failed(f"key {account.name}", f"{account.url} does not answer within {_PLATFORM_S:.0f} s",
                      "nothing is cancelled", "see to the network and its proxies")  # fmt: skip
