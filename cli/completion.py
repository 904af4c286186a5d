"""What a shell offers when a job's id or an account's name is being typed: quickly, or nothing.

No server is started for it and none is waited for, and no error is ever told: it would stand in the line that is typed.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from cancellist.jobs.model import Outcome

if TYPE_CHECKING:
    from cancellist.config.settings import Settings
    from cancellist.jobs.ledger.core import Ledger

_WITHIN_S: Final = 1.0
_NEWEST: Final = 50

Offered = list[tuple[str, str]]


def jobs(incomplete: str) -> Offered:
    """Ids of the newest jobs, in the letters in which they are begun, with what is known of them."""
    begun = incomplete.lower()
    found = _asked(_jobs)
    return [(incomplete + job[len(begun) :], about) for job, about in found if job.startswith(begun)]


def accounts(incomplete: str) -> Offered:
    """Names of accounts: those in the settings, and those that workers serve."""
    return [(name, about) for name, about in _asked(_accounts) if name.startswith(incomplete)]


def outcomes(incomplete: str) -> Offered:
    """Outcomes, also after a comma."""
    before, comma, begun = incomplete.rpartition(",")
    return [(before + comma + outcome, "") for outcome in Outcome if outcome.startswith(begun.strip().lower())]


async def _jobs(ledger: "Ledger", _: "Settings") -> Iterable[tuple[str, str]]:
    from cancellist.jobs.ledger import records  # noqa: PLC0415 - only for completion

    found = await records.newest(ledger, _NEWEST)
    return [(record.id, f"{record.state}, {record.total:,} references") for record in found]


async def _accounts(ledger: "Ledger", settings: "Settings") -> Iterable[tuple[str, str]]:
    from cancellist.jobs.ledger.accounts import served  # noqa: PLC0415 - only for completion

    return [(name, "") for name in sorted({*settings.account_names, *await served(ledger)})]


def _asked(look: Callable[["Ledger", "Settings"], Coroutine[Any, Any, Iterable[tuple[str, str]]]]) -> Offered:
    import asyncio  # noqa: PLC0415 - only for completion

    try:
        return list(asyncio.run(_look(look)))
    except Exception:  # noqa: BLE001 - whatever it is, it is told by the command itself
        return []


async def _look(
    look: Callable[["Ledger", "Settings"], Coroutine[Any, Any, Iterable[tuple[str, str]]]],
) -> Iterable[tuple[str, str]]:
    import asyncio  # noqa: PLC0415 - only for completion

    from cancellist.config.loading import load  # noqa: PLC0415 - as above
    from cancellist.jobs.ledger.core import Ledger  # noqa: PLC0415 - as above
    from cancellist.jobs.ledger.server.connection import connect  # noqa: PLC0415 - as above
    from cancellist.jobs.ledger.server.embedded import EmbeddedServer  # noqa: PLC0415 - as above

    settings = load(tell=lambda _: None)
    url = settings.redis_url.get_secret_value() if settings.redis_url else EmbeddedServer(settings.data_dir).url
    async with asyncio.timeout(_WITHIN_S):
        redis = await connect(url, wait_s=_WITHIN_S)
        try:
            return await look(Ledger(redis, settings.namespace), settings)
        finally:
            await redis.aclose()
