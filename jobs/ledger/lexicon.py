"""What an account has learnt about the platform's words of refusal."""

from jobs.ledger.connection import translated
from jobs.ledger.core import Ledger
from jobs.words import Meaning


async def learnt(ledger: Ledger, account: str) -> dict[str, Meaning]:
    """Meanings by fingerprint."""
    with translated():
        rows = await ledger.redis.hgetall(ledger.keys.words(account))
    meanings: dict[str, Meaning] = {}
    for print_, value in rows.items():
        standing, agreed = value.decode().split(" ")[:2]
        meanings[print_.decode()] = Meaning(standing, int(agreed))
    return meanings
