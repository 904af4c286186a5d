"""What was tried: calls that did not simply succeed, kept briefly for `explain`."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from jobs.ledger.connection import translated
from jobs.ledger.core import Ledger

_PAGE = 100


@dataclass(frozen=True, slots=True)
class TroubledCall:
    """A call that did not simply succeed.

    Attributes:
        kind: `calls`, `alone` or `reads`.
        status: HTTP status; None where no answer came.
        reason: the platform's words, or what went wrong on the way.
        correlation_id: the platform's, where its answer had one.
        took_ms: milliseconds.
        references: those that it did not confirm.
        at_ms: Unix milliseconds of its settling, by the server's clock; 0 before it is written.
    """

    kind: str
    status: int | None
    reason: str
    correlation_id: str | None
    took_ms: int
    references: Sequence[str]
    at_ms: int = 0

    def fields(self) -> list[str]:
        """As field-value pairs of a stream entry."""
        return [
            "kind", self.kind, "status", str(self.status or ""), "reason", self.reason,
            "correlation_id", self.correlation_id or "", "took_ms", str(self.took_ms),
            "references", "\n".join(self.references),
        ]  # fmt: skip


async def of_reference(ledger: Ledger, account: str, reference: str) -> AsyncIterator[TroubledCall]:
    """Troubled calls that named a reference, newest first, as far as they are kept."""
    needle = reference.encode()
    before = "+"
    while True:
        with translated():
            rows = await ledger.redis.xrevrange(ledger.keys.trouble(account), before, "-", count=_PAGE)
        for entry, fields in rows:
            references = fields[b"references"].split(b"\n")
            if needle in references:
                yield TroubledCall(
                    kind=fields[b"kind"].decode(),
                    status=int(fields[b"status"]) if fields[b"status"] else None,
                    reason=fields[b"reason"].decode(),
                    correlation_id=fields[b"correlation_id"].decode() or None,
                    took_ms=int(fields[b"took_ms"]),
                    references=[r.decode() for r in references],
                    at_ms=int(entry.split(b"-")[0]),
                )
        if len(rows) < _PAGE:
            return
        before = "(" + rows[-1][0].decode()
