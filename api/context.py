"""What every route is given."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from cancellist.api.options import ApiOptions
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.opening import Opened


@dataclass
class Context:
    """The ledger, the options, and whether the process is about to end.

    Attributes:
        stopping: set as soon as it is: who waits or streams ends then.
    """

    opened: Opened
    options: ApiOptions
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.opened.ledger


def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


InContext = Annotated[Context, Depends(_context)]
