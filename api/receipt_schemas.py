"""The documents of receipts and of the audit log, as the API's description has them."""

from pydantic import Field

from cancellist.api.schemas import JsonDocument, Time
from cancellist.jobs.model import Outcome


class Counts(JsonDocument):
    """How many references a job had, and what came of them."""

    total: int
    duplicates: int
    invalid: int
    outcomes: dict[Outcome, int]


class ReceiptResults(JsonDocument):
    """The Merkle tree over all results of a job, in the order in which they were written."""

    tree: str = Field(description="how it is built")
    leaves: int = Field(description="the number of results")
    root: str = Field(description="SHA-256, in hexadecimal")


class Receipt(JsonDocument):
    """What was done for a job, as canonical JSON (RFC 8785). docs/reference/receipts.md describes it."""

    type: str
    note: str = Field(description="whether it is signed, in words")
    namespace: str = Field(description="of the installation that made it; each has a chain of its own")
    number: int = Field(description="its place in the chain, from 1")
    previous: str | None = Field(description="the digest of the receipt before it; null for the first")
    made_at: Time
    job: dict[str, object] = Field(description="who wanted it and why, when it ran, and what was done to it")
    counts: Counts
    results: ReceiptResults
    signed_by: str | None = Field(description="the public key (Ed25519, in hexadecimal); null where it is not signed")
    digest: str = Field(description="SHA-256 of the document without digest and signature")
    signature: str | None = Field(description="of the same, in hexadecimal; null where it is not signed")


class ReceiptUnderWay(JsonDocument):
    """A receipt that is being made."""

    job: str
    read: int = Field(description="how many results were read")
    total: int = Field(description="of how many; 0 where that is not known yet")


class AuditEntry(JsonDocument):
    """Something that was changed, or that somebody wanted to change."""

    at: Time
    what: str | None = Field(description="the command, such as abort")
    job: str | None
    account: str | None
    about: str | None = Field(description="what there is to know more")
    who: str | None = Field(description="the caller's name, or the user of the operating system")
    via: str | None = Field(description="cli, http, intake, worker or program")
    where: str | None = Field(description="the client's address, the host, or the entry of the intake stream")
    token: str | None = Field(description="the name of the token that was given beside it")
    result: str | None = Field(description="done, refused or failed")
    code: str | None = Field(description="why it was not done")


class Audit(JsonDocument):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None = Field(description="the cursor of the page that follows; null where none does")
