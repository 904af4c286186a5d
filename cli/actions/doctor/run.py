"""Runs all checks; those that others depend on come first."""

import asyncio

from cancellist.cli import session
from cancellist.cli.actions.doctor import machine, platform, server
from cancellist.cli.actions.doctor.platform import Subscription
from cancellist.config.settings import Settings
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, skipped
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.roles import Role

_PLATFORM_S = 20.0


def examine(role: Role) -> list[CheckResult]:
    """Runs all checks and returns their results in order. It raises no error: each problem is a failed check."""
    settings, read = machine.settings(role)
    names = machine.unknown_names() if settings else skipped("names", "the settings cannot be read")
    if settings is None:
        return [read, names, skipped("server", "the settings cannot be read"),
                skipped("platform", "the settings cannot be read")]  # fmt: skip
    stop = [machine.stop_file(settings.stop_file)] if settings.stop_file and role is Role.WORKER else []
    wanted = settings.snapshot_dir or any(settings.of(name).snapshot for name in settings.account_names)
    kept = [machine.snapshots(settings)] if wanted and role is Role.WORKER else []
    return [read, names, *stop, *kept, *session.run(_examine(settings, role))]


async def _examine(settings: Settings, role: Role) -> list[CheckResult]:
    found, accounts = await asyncio.gather(
        server.examine(settings, role, settings.account_names),
        asyncio.gather(*(_account(settings, name, role) for name in settings.account_names)),
    )
    return [*found, *(finding for account in accounts for finding in account)]


async def _account(settings: Settings, name: str, role: Role) -> list[CheckResult]:
    try:
        account = platform.subscription(settings, name)
    except SettingsError as error:
        return [failed(f"key {name}", str(error), "nothing is cancelled", "fix this setting")]
    found = [platform.transport(account), await _key(account, role)]
    return [*found, platform.deallocation(name)] if settings.of(name).deallocate_first else found


async def _key(account: Subscription, role: Role) -> CheckResult:
    if role is not Role.WORKER:
        return skipped(f"key {account.name}", f"a {role} does not call the platform")
    try:
        async with asyncio.timeout(_PLATFORM_S):
            return await platform.key(account)
    except TimeoutError:
        return failed(f"key {account.name}", f"{account.url} does not answer within {_PLATFORM_S:.0f} s",
                      "nothing is cancelled", "check the network and its proxies")  # fmt: skip
