# Made by scripts/generate_sync.py from _async/conftest.py: change that one, and run the script.

from collections.abc import Iterator

import pytest

from cancellist_client import Client
from cancellist_client.retrying import Backoff


@pytest.fixture
def client(server) -> Iterator[Client]:
    with Client(server.url, timeout=5) as client:
        client._backoff = client._transport._backoff = Backoff(retries=50, base_s=0.02, cap_s=0.2)
        yield client
