"""What the code of the HTTP API never does, which its behaviour alone would not show."""

import ast
import hmac
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from cancellist.api.app import ROUTERS
from cancellist.jobs import access
from cancellist.jobs.access import ALL, Token, digest_of, token_of
from tests.support import ROOT

API = sorted((ROOT / "api").rglob("*.py"))
COMPARING = [*API, ROOT / "jobs/access.py"]
SECRET = re.compile(r"(?<![a-z])(token|secret|digest|password|signature|cookie|credential)s?(?![a-z])")


def compared(source: str) -> Iterator[str]:
    """Comparisons of what may be a secret by an operator, whose time tells how much of it is right."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        by_value = any(isinstance(one, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for one in node.ops)
        sides = [
            ast.unparse(one).lower() for one in (node.left, *node.comparators) if not isinstance(one, ast.Constant)
        ]
        if by_value and any(SECRET.search(side.replace("_", " ")) for side in sides):
            yield ast.unparse(node)


@pytest.mark.parametrize("path", COMPARING, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_secret_is_compared_by_an_operator(path: Path) -> None:
    assert not set(compared(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source", ["one.digest == digest", "token in known", "given != self._secret", "secrets[0] == x"]
)
def test_such_a_comparison_would_be_found(source: str) -> None:
    assert list(compared(source)) == [source]


def test_a_token_is_compared_with_each_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is, and whether or not one is right."""
    tokens = [Token(name, ALL, digest_of(name)) for name in "abc"]
    calls: list[tuple[str, str]] = []

    def told(one: str, other: str) -> bool:
        calls.append((one, other))
        return bool(hmac.compare_digest(one, other))

    monkeypatch.setattr(access, "hmac", type("Told", (), {"compare_digest": staticmethod(told)}))
    for text in ("a", "c", "d"):
        found = token_of(tokens, text)
        assert (found.name if found else None) == (text if text != "d" else None)
        assert calls == [(one.digest, digest_of(text)) for one in tokens]
        calls.clear()


def buffering(source: str) -> Iterator[str]:
    """Uses of Starlette's BaseHTTPMiddleware, also by a decorator of the application: it buffers streams."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and "middleware.base" in (node.module or ""):
            yield ast.unparse(node)
        if isinstance(node, ast.Attribute) and node.attr in {"middleware", "add_middleware", "BaseHTTPMiddleware"}:
            yield ast.unparse(node)


@pytest.mark.parametrize("path", API, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_middleware_buffers_what_it_hands_on(path: Path) -> None:
    assert not set(buffering(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source", ["from starlette.middleware.base import X", "app.middleware", "a.BaseHTTPMiddleware"]
)
def test_such_a_middleware_would_be_found(source: str) -> None:
    assert list(buffering(source)) == [source]


def test_fastapi_reads_no_body_before_the_caller_is_known() -> None:
    """Routes read bodies themselves, once their dependencies have let the caller pass."""
    routes = [route for router in ROUTERS for route in router.routes]
    assert [route for route in routes if not isinstance(route, APIRoute) or route.body_field] == []
