"""Counts the open consignments of an account by the platform's search."""

from cancellist.jobs.safety.open_count import NO_STATE, OPEN_STATES, count_of, filters_of, honours_state
from cancellist.jobs.safety.preflight import OpenCount
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.preflight.record_reader import Permit
from cancellist.worker.preflight.together import together


async def count(client: PlatformClient, permit: Permit) -> OpenCount:
    """How many there are; unknown where the platform does not say so for sure.

    Raises:
        NotPermittedError: the account may make no call now, nor soon.
        LedgerError: the server does not answer.
    """
    async with permit():
        answer = await client.search(filters_of(NO_STATE), take=1)
    if not honours_state(answer):
        found = count_of(answer)
        return OpenCount(None, found if isinstance(found, str) else "the platform's search ignores states")

    async def in_state(state: str) -> int | str:
        async with permit():
            return count_of(await client.search(filters_of(state), take=1))

    counts = await together(in_state(state) for state in OPEN_STATES)
    whys = [found for found in counts if isinstance(found, str)]
    return OpenCount(None, whys[0]) if whys else OpenCount(sum(found for found in counts if isinstance(found, int)))
