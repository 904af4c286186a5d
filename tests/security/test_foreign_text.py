"""What other systems say reaches no terminal and no log as it came: it could draw, or pass for a line of ours."""

import csv
import io
import json
import os
import pty
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis

from tests.support import processes
from tests.support.commands import TIMEOUT_S, Desk
from tests.support.servers import running
from tests.support.stage import Platform, wait_for

pytestmark = pytest.mark.acceptance
EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eevil\r\nforged line"
HARMFUL = ["\x1b]", "\x1b[2J", "\x9b", "\x07", "\u202e"]


def harmless(text: str, where: object) -> None:
    """Fails where something of what is evil is in a text as it came."""
    for part in HARMFUL:
        assert part not in text, (part, where, text)
    assert not any(line.startswith("forged") for line in text.replace("\r", "\n").split("\n")), (where, text)


class EvilPlatform(BaseHTTPRequestHandler):
    """Refuses everything with words, ids and states that are meant for a terminal."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        named = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "[]")
        if "refuse" in self.server.mode:
            self._answer(200, [{"IsSuccess": False, "Message": EVIL, "Data": reference} for reference in named])
        else:
            self._answer(503, {"Code": EVIL, "Message": EVIL, "CorrelationId": EVIL})

    def do_GET(self) -> None:
        reference = self.path.split("/")[2]
        self._answer(200, {"ConsignmentReferenceForAllLegsAssignedByMpd": reference, "Status": f"Strange {EVIL}"})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def evil() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EvilPlatform) as server:
        server.mode = ["fail"]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def desk(tmp_path: Path, evil: ThreadingHTTPServer) -> Iterator[Desk]:
    with running("valkey", tmp_path) as server:
        url = f"http://127.0.0.1:{evil.server_address[1]}"
        settings = {"redis_url": server.url, "api_url": url, "max_attempts": "1", "log_level": "debug",
                    "retry_base": "0.01", "retry_cap": "0.02", "call_timeout": "1", "lease_seconds": "1"}  # fmt: skip
        yield Desk(tmp_path, Platform(url, None, 0), server.url, settings)  # type: ignore[arg-type]


def on_a_terminal(desk: Desk, *arguments: str) -> str:
    """What a user sees of a command."""
    ours, its = pty.openpty()
    process = processes.Popen(
        desk._command(arguments), cwd=desk.folder, env=desk._environment({}), stdin=processes.DEVNULL, stdout=its,
        stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    seen = b""
    try:
        while block := os.read(ours, 65536):
            seen += block
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(ours)
        process.wait(TIMEOUT_S)
    return seen.decode()


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_platforms_words_reach_no_terminal_and_no_log(desk: Desk, evil: ThreadingHTTPServer, form: str) -> None:
    references = ["EC-AAA-AAA-AAA", "EC-AAA-AAA-AAB"]
    text = "\n".join([*references, f'"{EVIL}"'.replace("\r\n", " "), "=cmd()"])
    submitted = desk.ok("enqueue", "-", "--reason", EVIL, "--requested-by", EVIL, "--idempotency-key", EVIL, text=text)
    harmless(submitted.err, "enqueue")
    job = submitted.out.strip()
    conflict = desk.run("enqueue", "-", "--idempotency-key", EVIL, text="EC-AAA-AAA-AAC")
    assert conflict.status == 1
    harmless(conflict.err, "conflict")

    with desk.started("worker", log_format=form) as process:
        wait_for(lambda: _troubled(desk), 20)
        evil.mode[:] = ["refuse"]
        for command in (("watch", job), ("results", job, "--follow")):
            seen = on_a_terminal(desk, *command)
            harmless(seen, command)
        process.terminate()
        out, err = process.communicate(timeout=20)
    harmless(out + err, "worker")

    for command in (
        ("jobs",), ("status", job), ("explain", job, references[0]), ("explain", "--words"),
        *(("results", job, "--format", form) for form in ("table", "jsonl", "csv")),
        ("status", job, "--json"), ("explain", job, references[0], "--json"), ("doctor",),
    ):  # fmt: skip
        harmless(on_a_terminal(desk, *command), command)
    rows = [json.loads(line) for line in desk.ok("results", job, "--format", "jsonl").out.splitlines()]
    assert any(EVIL in str(row["message"]) or EVIL.strip() in str(row["state"]) for row in rows)
    table = list(csv.DictReader(io.StringIO(desk.ok("results", job, "--format", "csv").out, newline="")))
    assert "'=cmd()" in {row["reference"] for row in table}


def _troubled(desk: Desk) -> bool:
    redis = Redis(unix_socket_path=desk.url.removeprefix("unix://"))
    try:
        return bool(redis.xlen("cancellist:account:default:trouble"))
    finally:
        redis.close()


@pytest.mark.parametrize("form", ["console", "json"])
def test_fields_of_an_intake_entry_reach_no_terminal_and_no_log(desk: Desk, form: str) -> None:
    redis = Redis(unix_socket_path=desk.url.removeprefix("unix://"))
    reference = "EC-AAA-AAA-AAA"
    for fields in (
        {EVIL: "x", "references": reference}, {"references": reference, "deadline": EVIL},
        {"references": reference, "priority": EVIL}, {"references": reference, "account": EVIL},
        {"references": f"[{EVIL}"}, {"references": b"\xff\xfe" + reference.encode(), "reason": b"\xff\x1b[2J"},
        {"references": EVIL, "reason": EVIL, "requested_by": EVIL, "idempotency_key": EVIL},
        {"references": "EC-AAA-AAA-AAB", "idempotency_key": EVIL},
    ):  # fmt: skip
        redis.xadd("cancellist:intake", fields)
    with desk.started("worker", log_format=form) as process:
        wait_for(lambda: redis.xlen("cancellist:intake:rejected") == 7 and redis.xlen("cancellist:intake") == 0, 20)
        process.terminate()
        out, err = process.communicate(timeout=20)
    harmless(out + err, "worker")
    assert err.count("rejected") >= 5
    redis.close()
    for command in (("jobs",), ("doctor",)):
        harmless(on_a_terminal(desk, *command), command)


def test_lines_and_columns_of_a_file_reach_no_terminal(desk: Desk) -> None:
    path = desk.file("export.csv", f'Order,"{EVIL}"\n1,"{EVIL}"\n'.encode())
    for arguments in (
        ("--dry-run",),
        ("--dry-run", "--column", EVIL),
        ("--column", "none such"),
        ("--dry-run", "--json"),
    ):
        harmless(on_a_terminal(desk, "enqueue", str(path), *arguments), arguments)
