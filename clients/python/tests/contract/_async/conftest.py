from collections.abc import AsyncIterator

import pytest

from cancellist_client import AsyncClient


@pytest.fixture
async def client(backend) -> AsyncIterator[AsyncClient]:
    async with backend.async_client() as client:
        yield client
