"""The digest of a job's content: an idempotency key binds it."""

import hashlib
from collections.abc import Sequence

import orjson

from cancellist.jobs.model import JobRequest
from cancellist.jobs.parsing.references import InvalidEntry


class ContentDigest:
    """The digest of a job's content: its references in order, and their purpose.

    Times are left out: a span such as `+2h` means another time when the same command runs again.
    """

    def __init__(self, order: JobRequest) -> None:
        purpose = [order.account, order.priority.value, order.reason, order.requested_by]
        if order.max_refused or order.max_unconfirmed:
            purpose += [order.max_refused, order.max_unconfirmed]
        if order.canary:
            purpose.append(f"canary {order.canary}")
        if order.snapshot:
            purpose.append("snapshot")
        self._references = hashlib.sha256(orjson.dumps(purpose))
        self._malformed = hashlib.sha256()

    def add(self, references: Sequence[str], invalid: Sequence[InvalidEntry]) -> None:
        """Adds references and malformed lines, in order."""
        if references:
            self._references.update(("\n".join(references) + "\n").encode())
        for entry in invalid:
            self._malformed.update(f"{entry.text}\n".encode())

    def digest(self) -> str:
        """The digest in hexadecimal. It does not depend on how the content was split into calls of `add`."""
        whole = hashlib.sha256(self._references.digest() + self._malformed.digest())
        return whole.hexdigest()[:32]
