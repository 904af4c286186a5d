"""Log lines hold no secret and no foreign text as it came, in either form."""

import subprocess
import sys

import pytest

from tests.support.stage import ROOT

PROGRAM = """
import logging, sys
import structlog
from cancellist.config import logs
logs.configure(sys.argv[1], "debug")

def fail():
    api_key = "local-secret"
    try:
        raise ValueError("\\x1b[31mred\\n{forged line} \\u202e")
    except ValueError:
        logging.getLogger("asyncio").exception("foreign \\x1b[31m")
        structlog.get_logger().exception("ours", reason="\\x1b]0;title\\x07\\n{forged line} \\u202e\\x9b")

fail()
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variable_and_foreign_text_is_escaped(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, form], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == ""
    assert "local-secret" not in done.stderr
    assert done.stderr.count("Traceback") == 2
    assert not any(line.startswith("{forged") for line in done.stderr.splitlines())
    assert done.stderr.replace("\n", "").isprintable()
