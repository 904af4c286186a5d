"""The description is whole: what it declares is taken and answered as declared, whatever is sent."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

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


def generated(api: Api, token: str, folder: Path) -> str:
    """What schemathesis says of requests that it makes up from the description; nothing may fail."""
    done = subprocess.run(
        [Path(sys.executable).parent / "schemathesis", "run", f"{api.url}/openapi.json", "--no-color",
         "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--seed", "7",
         "--max-examples", str(EXAMPLES), "--phases", "coverage,fuzzing", "--continue-on-failure",
         "--exclude-path-regex", ENDLESS, "--exclude-method", "HEAD"],
        cwd=folder, capture_output=True, text=True, timeout=200, check=False,
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


def test_an_address_names_all_its_methods(api: Api, client: httpx.Client) -> None:
    answer = client.delete("/v1/jobs")
    problem(answer, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
