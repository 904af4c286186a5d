"""Calls that did not simply succeed. The ledger keeps them briefly for `explain`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated

_PAGE = 100


@dataclass(frozen=True, slots=True)
class TroubledCall:
    """A call that did not simply succeed.

    Attributes:
        kind: `calls`, `alone` or `reads`.
        status: HTTP status; None without an answer.
        reason: the platform's text, or the failure on the way.
        correlation_id: the platform's id of the request, where the answer has one.
        took_ms: milliseconds.
        named: the references that the call did not confirm, by job.
        at_ms: when it was settled, Unix milliseconds by the server's clock; 0 before it is written.
    """

    kind: str
    status: int | None
    reason: str
    correlation_id: str | None
    took_ms: int
    named: Mapping[str, Sequence[str]]
    at_ms: int = 0

    @property
    def references(self) -> int:
        """The number of references that the call did not confirm; one that two jobs name counts once."""
        return len({reference for named in self.named.values() for reference in named})

    def fields(self) -> list[str]:
        """The fields and values of its stream entry, alternating."""
        return [
            "kind", self.kind, "status", str(self.status or ""), "reason", self.reason,
            "correlation_id", self.correlation_id or "", "took_ms", str(self.took_ms),
            "named", "\n".join(" ".join([job, *named]) for job, named in self.named.items()),
        ]  # fmt: skip


async def of_reference(ledger: Ledger, account: str, job: str, reference: str) -> AsyncIterator[TroubledCall]:
    """The kept calls that named a reference for a job, newest first."""
    before = "+"
    while True:
        with translated():
            rows = await ledger.redis.xrevrange(ledger.keys.trouble(account), before, "-", count=_PAGE)
        for entry, fields in rows:
            lines = [line.split(" ") for line in fields.get(b"named", b"").decode().split("\n")]
            named = {other: references for other, *references in lines}
            if reference in named.get(job, ()):
                yield TroubledCall(
                    kind=fields[b"kind"].decode(),
                    status=int(fields[b"status"]) if fields.get(b"status") else None,
                    reason=fields[b"reason"].decode(),
                    correlation_id=fields.get(b"correlation_id", b"").decode() or None,
                    took_ms=int(fields.get(b"took_ms") or 0),
                    named=named,
                    at_ms=int(entry.split(b"-")[0]),
                )
        if len(rows) < _PAGE:
            return
        before = "(" + rows[-1][0].decode()
