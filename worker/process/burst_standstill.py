"""Ends a burst whose server refuses the commands that it needs; it would never end by itself."""

from time import monotonic

from cancellist.jobs.errors import LedgerError
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from cancellist.worker.outage_log import REFUSALS

_STANDS_S = 5.0


class Standstill:
    """Watches whether the work has stopped because the server refuses commands: no new result for a while."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._since = monotonic()

    async def why(self, ledger: Ledger) -> str | None:
        """The server's refusal, if the work has stopped because of it; else None."""
        refused = REFUSALS.lasting()
        if refused is None:
            self._seen, self._since = None, monotonic()
            return None
        try:
            open_jobs = await records.unfinished(ledger)
        except LedgerError:  # jobs that cannot be read cannot make progress
            return refused
        seen = len(open_jobs), sum(job.settled for job in open_jobs)
        if seen != self._seen and open_jobs:
            self._seen, self._since = seen, monotonic()
        return refused if not open_jobs or monotonic() - self._since >= _STANDS_S else None
