"""Every account as it stands: what is configured of it, whether a worker serves it, and whether its calls may start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cancellist.jobs.ledger import accounts
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger

RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class Configured:
    """What settings say of an account.

    Attributes:
        platform: the host of its platform.
        has_key: whether there is a key for it.
        max_concurrent_calls: calls in flight, over all workers.
        max_calls_per_second: None where no rate is set.
        burst: calls that may start at once under that rate.
        max_references_per_call: references of one call.
    """

    platform: str
    has_key: bool
    max_concurrent_calls: int
    max_calls_per_second: float | None
    burst: int | None
    max_references_per_call: int


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account now; `configured` is None where the settings at hand do not name it, `served`: whether a worker is."""

    name: str
    configured: Configured | None
    gate: AccountGate
    served: bool

    @property
    def workers(self) -> int:
        """Live workers, where one serves this account."""
        return self.gate.workers if self.served else 0


def state(gate: AccountGate) -> str:
    """Whether an account's calls may start: `running`, `paused` by hand, `tripped` by its breaker, or `held`."""
    if gate.paused:
        return "paused"
    if gate.breaker:
        return "tripped"
    return "held" if gate.hold_until_ms else RUNNING


async def statuses(ledger: Ledger, configured: Mapping[str, Configured]) -> list[AccountStatus]:
    """Those that are configured, that workers serve, or that ever had a job, by name."""
    served = await accounts.served(ledger)
    names = sorted({*configured, *served, *await accounts.known(ledger)})
    return [
        AccountStatus(name, configured.get(name), await accounts.gate(ledger, name), served.get(name, False))
        for name in names
    ]
