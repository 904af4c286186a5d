"""Problems: each kind has its page, each error of the project its kind, and none tells a client of our server."""

import re
from inspect import signature

import httpx
import pytest
from fastapi import FastAPI

from cancellist.api import problems
from cancellist.api.problem_kinds import KINDS
from cancellist.api.problems import ProblemError, of_error
from cancellist.jobs import errors
from cancellist.jobs.errors import CancellistError, InputError, LedgerError
from cancellist.jobs.option_names import COMMAND_LINE, PARAMETERS
from tests.support import ROOT

NOT_OVER_HTTP = {"output", "settings", "search", "not_permitted", "parquet_missing", "reference_index", "receipt"}
"""What only commands meet: they write files, read the settings, ask the platform, and verify receipts."""


def classes(of: type[CancellistError]) -> list[type[CancellistError]]:
    return [of, *(below for one in of.__subclasses__() for below in classes(one))]


ERRORS = [one for one in classes(CancellistError) if one.__module__ == errors.__name__]


def made(kind: type[CancellistError]) -> CancellistError:
    """One of that kind, with texts and numbers for what it is made of."""
    given = [one for name, one in signature(kind.__init__).parameters.items() if name not in {"self", "hint"}]
    return kind(*(7 if one.annotation is int else f"some-{one.name}" for one in given))


def test_the_page_says_of_each_kind_what_the_code_does():
    text = (ROOT / "docs/reference/problems.md").read_text()
    sections = re.findall(r"^## (\w+)\n\n(\d+): (.*)\n\n((?:.+\n)+)", text, re.MULTILINE)
    found = [(code, int(status), title, " ".join(lines.split())) for code, status, title, lines in sections]
    assert found == [(kind.code, kind.status, kind.title, kind.text) for kind in KINDS.values()]


def test_each_kind_occurs_in_a_test():
    """Each is met by a real request."""
    text = "".join(path.read_text() for path in (ROOT / "tests/integration/api").glob("*.py"))
    asserted = set(re.findall(r'"(\w+)"', text))
    assert KINDS.keys() <= asserted


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_is_a_problem_of_its_own_code(kind: type[CancellistError]):
    problem = of_error(made(kind))
    if kind.code in NOT_OVER_HTTP:
        assert problem.kind.code == "error"
    else:
        assert problem.kind.code == kind.code
    assert problem.kind.status != 500


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if issubclass(kind, LedgerError)], ids=lambda kind: kind.code)
def test_a_client_learns_only_the_kind_of_a_server_error(kind: type[CancellistError]):
    document = of_error(kind("redis://10.1.2.3:6379 refuses", hint="`cancellist doctor` says more")).document("id")
    assert "10.1.2.3" not in str(document)
    assert "doctor" not in str(document)


def test_no_hint_of_the_api_names_a_command():
    for kind in KINDS.values():
        commands = re.findall(r"`cancellist (\w+)", kind.hint or "")
        assert set(commands) <= {"token"}, kind.code


def test_options_are_named_as_the_caller_knows_them():
    assert COMMAND_LINE.keys() == PARAMETERS.keys()
    for mark in COMMAND_LINE:
        error = InputError(f"give \ue000{mark}\ue001")
        assert str(error) == f"give {COMMAND_LINE[mark]}"
        detail = of_error(error).detail
        assert detail == f"give {PARAMETERS[mark]}"
        assert "--" not in detail


def test_a_long_or_odd_detail_is_one_short_line():
    document = ProblemError("input", "x\n\x1b[31m" * 1000).document("id")
    assert len(document["detail"]) <= 500
    assert document["detail"].isprintable()


async def test_an_unexpected_error_is_a_problem_without_details():
    app = FastAPI(openapi_url=None)

    @app.get("/")
    async def fail() -> None:
        raise RuntimeError("a secret")

    problems.install(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
        assert "secret" not in answer.text
        assert (await client.get("/nowhere")).json()["type"] == "/problems/not_found"
        other = await client.post("/")
        assert (other.json()["type"], other.headers["allow"]) == ("/problems/method_not_allowed", "GET, HEAD")
