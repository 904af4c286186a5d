from collections.abc import AsyncIterator

import pytest

from cancellist_client import AsyncClient
from cancellist_client.retrying import Backoff


@pytest.fixture
async def client(server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, timeout=5) as client:
        client._backoff = client._transport._backoff = Backoff(retries=50, base_s=0.02, cap_s=0.2)
        yield client
