"""Accounts: their settings, whether a worker serves them, and whether their calls may start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.safety.environment import Environment

RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class Configured:
    """An account's settings.

    Attributes:
        platform: the platform's host.
        has_key: whether an API key is set.
        max_concurrent_calls: calls in flight over all workers.
        max_calls_per_second: the rate limit; None where none is set.
        burst: calls that may start at once under the rate limit.
        max_references_per_call: references a call.
        environment: whether the platform is a sandbox or real.
    """

    platform: str
    has_key: bool
    max_concurrent_calls: int
    max_calls_per_second: float | None
    burst: int | None
    max_references_per_call: int
    environment: Environment


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account now. `configured` is None where our settings do not name it; `served` says that a worker serves it."""

    name: str
    configured: Configured | None
    gate: AccountGate
    served: bool

    @property
    def workers(self) -> int:
        """Live workers; 0 where none serves this account."""
        return self.gate.workers if self.served else 0


def state(gate: AccountGate) -> str:
    """The account's state: `running`, `stopped` with all others, `new_host`, `paused`, `tripped` or `held`."""
    if gate.stopped:
        return "stopped"
    if gate.strange_host:
        return "new_host"
    if gate.paused:
        return "paused"
    if gate.breaker:
        return "tripped"
    return "held" if gate.hold_until_ms else RUNNING


async def statuses(ledger: Ledger, configured: Mapping[str, Configured]) -> list[AccountStatus]:
    """All accounts that are configured, that workers serve, or that ever had a job; sorted by name."""
    served = await accounts.served(ledger)
    names = sorted({*configured, *served, *await accounts.known(ledger)})
    return [
        AccountStatus(name, configured.get(name), await accounts.gate(ledger, name), served.get(name, False))
        for name in names
    ]
