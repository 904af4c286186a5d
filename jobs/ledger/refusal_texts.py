"""What reads found behind an account's refusal texts. It is shown to people; no result depends on it."""

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.responses.refusal_texts import Meaning


async def learnt(ledger: Ledger, account: str) -> dict[str, Meaning]:
    """The meanings of refusal texts, by fingerprint."""
    with translated():
        rows = await ledger.redis.hgetall(ledger.keys.words(account))
    meanings: dict[str, Meaning] = {}
    for print_, value in rows.items():
        state_class, agreed = value.decode().split(" ")[:2]
        meanings[print_.decode()] = Meaning(state_class, int(agreed))
    return meanings
