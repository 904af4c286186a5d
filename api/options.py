"""What the HTTP API goes by; whoever starts it makes this of its settings."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cancellist.jobs.access import Access, Token
from cancellist.jobs.ledger.account_status import Configured
from cancellist.jobs.limits import Limit
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from cancellist.jobs.webhooks.addresses import Allowed

if TYPE_CHECKING:
    from cancellist.jobs.ledger.receipt_keys import Signer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LEAST: Final = 256
"""Bytes that must go on within `Limits.silence_s`: who trickles would keep a place for days."""
EVERYBODY: Final = "*"
"""Stands in `user_roles` for every user that has no roles of his own."""


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """What is known of an account.

    Attributes:
        configured: what `GET /v1/accounts` tells of it.
        pattern: what a reference looks like.
        safeguards: what is asked of each of its jobs.
        plan_keep_s: how long a plan is kept.
        plan_read_all: most references of which a plan reads all states.
    """

    configured: Configured
    pattern: ReferencePattern
    safeguards: Safeguards = NONE
    plan_keep_s: float = 3600.0
    plan_read_all: int = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may take.

    Attributes:
        max_body: bytes of a body, unpacked.
        max_json: bytes of a body that is one JSON object.
        max_rows: entries of a body.
        max_wait_s: seconds that a request may wait for its job's end.
        max_connections: connections that are open at once.
        rate: requests a second of one caller, or of one address without a known caller; twice as many at once.
        silence_s: seconds without a byte after which a body is given up, and an answer that nobody takes.
    """

    max_body: int
    max_json: int
    max_rows: int
    max_wait_s: float
    max_connections: int
    rate: float
    silence_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Proxies:
    """What is believed of proxies.

    Attributes:
        prefix: the path that the API is behind; empty where it is behind none.
        trusted: addresses whose headers about the client are believed.
        user_header: the header in which they name the user.
        user_roles: what such users may do.
    """

    prefix: str = ""
    trusted: tuple[Network, ...] = ()
    user_header: str | None = None
    user_roles: Mapping[str, frozenset[Access]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """What webhooks go by.

    Attributes:
        keys: of which their secrets are made; none where none is set.
        allowed: where they may go beside public addresses.
    """

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    allowed: Allowed = field(default_factory=Allowed)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """All that the API goes by.

    Attributes:
        tokens: those that may be used.
        printed: the name of the token that the printed address has; None where none is printed.
        accounts: those that are configured here.
        common: what holds for an account that only workers know.
        max_invalid: malformed entries that are allowed where a request says nothing.
        idempotency_keep_s: for how long a key stays bound.
        results_keep_s: for how long results are kept.
        jobs_keep_s: for how long records of ended jobs are kept.
        data_dir: where the index of references is.
        signer: who signs receipts; None for nobody.
    """

    tokens: tuple[Token, ...]
    accounts: Mapping[str, AccountOptions]
    common: AccountOptions
    max_invalid: Limit
    idempotency_keep_s: float
    limits: Limits
    results_keep_s: float
    jobs_keep_s: float
    data_dir: Path
    proxies: Proxies = field(default_factory=Proxies)
    webhooks: WebhookOptions = field(default_factory=WebhookOptions)
    signer: "Signer | None" = None
    printed: str | None = None

    def of(self, account: str) -> AccountOptions:
        """What is known of an account."""
        return self.accounts.get(account, self.common)
