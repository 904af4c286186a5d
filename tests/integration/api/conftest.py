"""One `cancellist serve` a module, with a server, a platform and a worker of its own."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api import Api, serving
from tests.support.commands import Desk, desk
from tests.support.receiver import SETTINGS


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server and a platform, for modules that start `serve` in their own way."""
    with desk(tmp_path_factory.mktemp("one")) as found:
        yield found


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with desk(tmp_path_factory.mktemp("api")) as one:
        one.settings |= SETTINGS
        with serving(one) as running, one.started("worker"):
            yield running


@pytest.fixture
def client(api: Api) -> httpx.Client:
    return api.client()
