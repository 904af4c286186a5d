# Made by scripts/generate_sync.py from _async/conftest.py: change that one, and run the script.

from collections.abc import Iterator

import pytest

from cancellist_client import Client
from cancellist_client.retrying import Backoff

TOKEN = "s3cret-token"


@pytest.fixture
def client(scripted) -> Iterator[Client]:
    with Client(scripted.url, token=TOKEN, timeout=5) as client:
        client._transport._backoff = Backoff(base_s=0.01)
        yield client
