"""What every route is given."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request

from cancellist.api.events.sampler import Sampler
from cancellist.api.monitor.sessions import Sessions
from cancellist.api.options import ApiOptions
from cancellist.api.rates import Rates
from cancellist.api.receipt_maker import ReceiptMaker
from cancellist.api.request_body import Memory
from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import Opened
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex

_REVIVE_EVERY_S: Final = 0.5
_WHOLE_BODIES: Final = 4


@dataclass
class Context:
    """The ledger, the options, and whether the process is about to end.

    Attributes:
        stopping: set as soon as it is: who waits or streams ends then.
        away: set where the ledger's server did not answer.
        sampler: what has changed of jobs, for all who listen.
        memory: what JSON objects that are read at once may take together.
        references: which jobs named a reference.
        receipts: those that are being made.
        sessions: who has signed in on a page.
        rates: what callers and addresses are held to.
    """

    opened: Opened
    options: ApiOptions
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    sessions: Sessions = field(default_factory=Sessions)
    rates: Rates = field(init=False)
    sampler: Sampler = field(init=False)
    memory: Memory = field(init=False)
    references: ReferenceIndex = field(init=False)
    receipts: ReceiptMaker = field(init=False)

    def __post_init__(self) -> None:
        self.rates = Rates(self.options.limits.rate)
        self.sampler = Sampler(self.ledger, self.stopping)
        self.memory = Memory(_WHOLE_BODIES * self.options.limits.max_json)
        self.receipts = ReceiptMaker(self.ledger, self.options.signer)
        self.references = ReferenceIndex(self.ledger, self.options.data_dir, jobs_keep_s=self.options.jobs_keep_s)

    async def keep_reviving(self) -> None:
        """Brings our own server back whenever it is away, until this is cancelled; another's comes back by itself."""
        while True:
            await self.away.wait()
            with contextlib.suppress(LedgerError):
                await self.opened.revive()
            await asyncio.sleep(_REVIVE_EVERY_S)
            self.away.clear()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.opened.ledger


def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


InContext = Annotated[Context, Depends(_context)]
