"""The ways in that the contract suite runs over: each test says by `only` which of them can do what it asks."""

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cancellist_client import AsyncClient, Client
from cancellist_client.testing import FakeAsyncClient, FakeClient, FakeServer, RealStack, real_stack

KINDS = ("fake", "http", "redis")
STATES = ("Manifested", "Cancelled")
_CONSIGNMENTS = 5_000


class Backend:
    """One way in, and references that no test has used."""

    quiet_s = 0.05
    """How long nothing may come before a loop ends; the results wanted are there by then."""

    def client(self, **options) -> Client:
        raise NotImplementedError

    def async_client(self, **options) -> AsyncClient:
        raise NotImplementedError

    def references(self, count: int, state: str = "Allocated") -> list[str]:
        raise NotImplementedError

    @staticmethod
    def made_up(count: int) -> list[str]:
        """References for a job that is never called."""
        drawn = secrets.token_hex(2).upper()
        return [f"EC-{drawn[:3]}-{drawn[3]}{n // 1000:02d}-{n % 1000:03d}" for n in range(count)]

    @staticmethod
    def unknown(count: int) -> list[str]:
        """References that the platform does not know."""
        drawn = secrets.token_hex(1).upper()
        return [f"EC-Z{drawn}-{n // 1000:03d}-{n % 1000:03d}" for n in range(count)]


class FakeBackend(Backend):
    def __init__(self) -> None:
        self.server = FakeServer(outcomes=self._outcomes)
        self._numbers = itertools.count(1)

    @staticmethod
    def _outcomes(reference: str) -> str | None:
        return {"M": "manifested", "C": "already_cancelled", "Z": "not_found"}.get(reference[3])

    def client(self, **options) -> Client:
        return FakeClient(self.server)

    def async_client(self, **options) -> AsyncClient:
        return FakeAsyncClient(self.server)

    def references(self, count: int, state: str = "Allocated") -> list[str]:
        first = state[0] if state in STATES else "0"
        return [f"EC-{first}{n // 10_000_000:02d}-{n // 1000 % 1000:03d}-{n % 1000:03d}"
                for n in itertools.islice(self._numbers, count)]  # fmt: skip


class RealBackend(Backend):
    def __init__(self, stack: RealStack) -> None:
        self.stack = stack
        self._known = {}

    def client(self, **options) -> Client:
        return self.stack.client(**options)

    def async_client(self, **options) -> AsyncClient:
        return self.stack.async_client(**options)

    def references(self, count: int, state: str = "Allocated") -> list[str]:
        if state not in self._known:
            most = {"Allocated": 3_000}.get(state, 80)
            self._known[state] = iter(self.stack.references(most, state=state))
        found = list(itertools.islice(self._known[state], count))
        assert len(found) == count
        return found


class RedisBackend(RealBackend):
    quiet_s = 0.5

    def client(self, **options) -> Client:
        return Client(self.stack.redis_url, **options)

    def async_client(self, **options) -> AsyncClient:
        return AsyncClient(self.stack.redis_url, **options)


@pytest.fixture(scope="session")
def stacks() -> Iterator[list[RealStack]]:
    """The real stack, started when the first test asks for it."""
    with ExitStack() as ending:
        yield _Lazy(ending)


class _Lazy:
    def __init__(self, ending: ExitStack) -> None:
        self._ending = ending
        self._backends = {}
        self._stack = None

    def backend(self, kind: str) -> Backend:
        if kind == "fake":
            return FakeBackend()
        if self._stack is None:
            self._stack = self._ending.enter_context(real_stack(consignments=_CONSIGNMENTS))
        if kind not in self._backends:
            http = self._backends.setdefault("http", RealBackend(self._stack))
            redis = RedisBackend(self._stack)
            redis._known = http._known  # both take from the same sandbox
            self._backends["redis"] = redis
        return self._backends[kind]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("only")
    kinds = mark.args if mark else KINDS
    metafunc.parametrize(
        "backend",
        [pytest.param(kind, marks=() if kind == "fake" else pytest.mark.acceptance) for kind in kinds],
        indirect=True,
    )


@pytest.fixture
def backend(request: pytest.FixtureRequest, stacks: _Lazy) -> Backend:
    return stacks.backend(request.param)


@pytest.fixture
def group() -> str:
    """A consumer group that no test has used."""
    return f"group-{os.urandom(6).hex()}"
