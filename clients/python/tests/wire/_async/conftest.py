from collections.abc import AsyncIterator

import pytest

from cancellist_client import AsyncClient
from cancellist_client.retrying import Backoff

TOKEN = "s3cret-token"


@pytest.fixture
async def client(scripted) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(scripted.url, token=TOKEN, timeout=5) as client:
        client._transport._backoff = Backoff(base_s=0.01)
        yield client
