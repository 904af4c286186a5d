"""The description is whole: what it declares is taken and answered as declared, whatever is sent."""

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from cancellist.api.app import ROUTERS
from cancellist.jobs.access import Access
from tests.support.api import EVERY, OF_ROLE, Api, problem

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance", "negative_data_rejection",
    "ignored_auth",
)  # fmt: skip
EXAMPLES = 40
ENDLESS = "/events$"
"""Streams that go on while somebody listens: tests/integration/api/test_events.py has them."""


@contextlib.contextmanager
def flowing(api: Api) -> Iterator[None]:
    """Lifts what requests stop: calls of the platform's own form would wait for their job's end for half a minute."""
    over = threading.Event()

    def lift() -> None:
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {EVERY}"}, timeout=60) as client:
            while not over.wait(0.2):
                assert client.delete("/v1/stop").status_code == 200
                assert client.post("/v1/accounts/default/resume").status_code == 200

    with ThreadPoolExecutor(1) as pool:
        lifting = pool.submit(lift)
        try:
            yield
        finally:
            over.set()
        lifting.result()


def generated(api: Api, token: str, folder: Path) -> str:
    """What schemathesis says of requests that it makes up from the description; nothing may fail."""
    with flowing(api):
        done = subprocess.run(
            [Path(sys.executable).parent / "schemathesis", "run", f"{api.url}/openapi.json", "--no-color",
             "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--seed", "7",
             "--max-examples", str(EXAMPLES), "--phases", "coverage,fuzzing", "--continue-on-failure",
             "--request-timeout", "60", "--exclude-path-regex", ENDLESS, "--exclude-method", "HEAD"],
            cwd=folder, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_whatever_is_sent_the_answer_is_declared_and_no_fault_of_ours(api: Api, tmp_path: Path) -> None:
    said = generated(api, EVERY, tmp_path)
    operations = sum(len(methods.keys() - {"head"}) for methods in api.description.document["paths"].values())
    left_out = 1 + sum(bool(re.search(ENDLESS, path)) for path in api.description.document["paths"])
    assert f"Tested: {operations - left_out}\n" in said, "all but the description itself, and streams without an end"


def test_so_it_is_for_one_who_may_only_read(api: Api, tmp_path: Path) -> None:
    generated(api, OF_ROLE[Access.READ], tmp_path)


def test_it_is_of_the_version_that_is_said_and_names_no_schema_that_is_not_there(api: Api) -> None:
    document = api.description.document
    assert document["openapi"].startswith("3.1.")
    text = api.client(None).get("/openapi.json").text
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= set(document["components"]["schemas"])
    assert {"Problem", "JobOrder", "Job", "Submitted"} <= named


def test_it_is_valid_by_the_specification(api: Api) -> None:
    found = OpenAPIV31SpecValidator(api.description.document).iter_errors()
    assert [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in found] == []


def test_a_fault_in_it_would_be_found(api: Api) -> None:
    document = json.loads(json.dumps(api.description.document))
    del document["paths"]["/v1/jobs/{job}"]["get"]["responses"]
    document["paths"]["/v1/jobs/{other}/results"] = document["paths"].pop("/v1/jobs/{job}/results")
    assert len(list(OpenAPIV31SpecValidator(document).iter_errors())) >= 2


def test_it_has_each_route_of_the_process_and_no_other(api: Api) -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, APIRoute) and route.include_in_schema for route in routes)
    there = {(method, route.path_format) for route in routes if isinstance(route, APIRoute) for method in route.methods}
    there |= {("HEAD", path) for method, path in there if method == "GET"}
    described = {(method.upper(), path) for path, one in api.description.document["paths"].items() for method in one}
    assert described == there


LONG = "x" * 101
STREAMS = (
    ("/v1/events", {}, {}, 200),
    ("/v1/events", {}, {"Last-Event-ID": "1-2-3"}, 200),
    ("/v1/events", {}, {"Last-Event-ID": "\x7f nonsense"}, 200),
    ("/v1/events", {}, {"Last-Event-ID": LONG}, 422),
    ("/v1/events", {}, {"Authorization": "Bearer wrong"}, 401),
    ("/v1/events", {}, {"Authorization": f"Bearer {OF_ROLE[Access.SUBMIT]}"}, 403),
    ("/v1/events", {"a": ["1", "2"]}, {}, 422),
    ("/v1/jobs/JOB/events", {}, {}, 200),
    ("/v1/jobs/JOB/events", {}, {"Last-Event-ID": LONG}, 422),
    ("/v1/jobs/0000000000zz/events", {}, {}, 404),
    ("/v1/jobs/%00/events", {}, {}, 404),
    ("/v1/jobs/JOB/events", {}, {"Authorization": ""}, 401),
)
"""What schemathesis leaves out, since a stream does not end."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("path", "params", "headers", "status"), STREAMS)
def test_streams_answer_as_declared(
    api: Api, held: str, method: str, path: str, params: dict[str, list[str]], headers: dict[str, str], status: int
) -> None:
    with api.client().stream(method, path.replace("JOB", held), params=params, headers=headers) as answer:
        assert answer.status_code == status
        if method == "HEAD":
            assert answer.read() == b""
        elif status == 200:
            assert next(answer.iter_bytes()).startswith(b"retry: ")


@pytest.fixture(scope="module")
def held(api: Api) -> str:
    """A job that has not begun."""
    return str(api.client().post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+9h"}).json()["job"])


def test_head_answers_as_declared_whatever_is_asked(api: Api, held: str) -> None:
    """The client checks each answer by the description; schemathesis leaves HEAD out, which may have no body."""
    asked = 0
    for path, operations in api.description.document["paths"].items():
        if "head" in operations:
            for token, query in ((EVERY, ""), (None, ""), (EVERY, "?limit=0&limit=0"), (EVERY, "?cursor=%ff")):
                answer = api.client(token).head(re.sub(r"{\w+}", "x", path.replace("{job}", held)) + query)
                assert (answer.content, answer.status_code < 500) == (b"", True), path
                asked += 1
    assert asked > 60


def test_an_address_names_all_its_methods(api: Api, client: httpx.Client) -> None:
    answer = client.delete("/v1/jobs")
    problem(answer, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
