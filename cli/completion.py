"""Shell completion of job ids, account names, outcomes and states.

It answers within a second or offers nothing. It starts no server, and it shows no error: that would appear in the line
the user types.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from cancellist.jobs.model import LISTED, Outcome

if TYPE_CHECKING:
    from cancellist.config.settings import Settings
    from cancellist.jobs.ledger.core import Ledger

_WITHIN_S: Final = 1.0
_NEWEST: Final = 50

Offered = list[tuple[str, str]]


def jobs(incomplete: str) -> Offered:
    """Returns the ids of the newest jobs and their state. The typed part keeps its case."""
    begun = incomplete.lower()
    found = _asked(_jobs)
    return [(incomplete + job[len(begun) :], about) for job, about in found if job.startswith(begun)]


def accounts(incomplete: str) -> Offered:
    """Returns the names of the accounts in the settings and of those that workers serve."""
    return [(name, about) for name, about in _asked(_accounts) if name.startswith(incomplete)]


def outcomes(incomplete: str) -> Offered:
    """Returns outcomes, also for the word after a comma."""
    before, comma, begun = incomplete.rpartition(",")
    return [(before + comma + outcome, "") for outcome in Outcome if outcome.startswith(begun.strip().lower())]


def states(incomplete: str) -> Offered:
    """Returns states of jobs, also for the word after a comma."""
    before, comma, begun = incomplete.rpartition(",")
    return [(before + comma + state, "") for state in LISTED if state.startswith(begun.strip().lower())]


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
