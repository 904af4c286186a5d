# Made by scripts/generate_sync.py from _async/conftest.py: change that one, and run the script.

from collections.abc import Iterator

import pytest

from cancellist_client import Client


@pytest.fixture
def client(backend) -> Iterator[Client]:
    with backend.client() as client:
        yield client
