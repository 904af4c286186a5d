#!/usr/bin/env python3
"""Makes the synchronous twin of what is written for asyncio: of each file in `_async`, one in `_sync` beside it.

`python scripts/generate_sync.py` writes the files, with `--check` it only says which are not as they should be.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("cancellist_client", "tests/contract", "tests/streams", "tests/wire")
_CONFIG: Final = ROOT.parents[1] / "pyproject.toml"
_AS_IF: Final = ROOT / "cancellist_client/_async/made.py"  # `_sync` is not checked by ruff
_RUFF: Final = (sys.executable, "-m", "ruff")

# what has no `Async` in front of its name, or another name altogether
_WORDS: Final = {
    "FakeAsyncClient": "FakeClient",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_async": "_sync",
    "aclose": "close",
    "aclosing": "closing",
    "aiter_bytes": "iter_bytes",
    "aiter": "iter",
    "anext": "next",
    "aread": "read",
    "async_client": "client",
    "async_run": "sync_run",
    "async_sleep": "sync_sleep",
    "async_socket_timeout": "sync_socket_timeout",
    "async_within": "sync_within",
    "asynccontextmanager": "contextmanager",
    "redis.asyncio": "redis",
}
_RULES: Final = (
    (re.compile(r"\bawait\s+"), ""),
    (re.compile(r"\basync (def|for|with)\b"), r"\1"),
    *((re.compile(rf"(?<!\w){re.escape(word)}\b"), other) for word, other in _WORDS.items()),
    (re.compile(r"\b(_?)Async(?=[A-Z])"), r"\1"),
    (re.compile(r"\bCoroutine\[Any, Any, (\w+)\]"), r"\1"),
)


def twin(text: str, name: str) -> str:
    """The synchronous text of an asynchronous one, formatted."""
    for pattern, other in _RULES:
        text = pattern.sub(other, text)
    text = f"# Made by scripts/generate_sync.py from _async/{name}: change that one, and run the script.\n\n{text}"
    for command in (("check", "--fix-only", "--quiet", "--select", "I,F401,PYI016"), ("format", "--quiet")):
        text = _ruff(text, *command)
    return text


def _ruff(text: str, *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own tool
        [*_RUFF, *command, "--config", str(_CONFIG), "--stdin-filename", str(_AS_IF), "-"],
        input=text, capture_output=True, text=True, check=False, cwd=_CONFIG.parent,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"ruff {command[0]} refuses the text: {done.stderr}")
    return done.stdout


def twins() -> Iterator[tuple[Path, str]]:
    """Every file that is made, and what should be in it."""
    for folder in FOLDERS:
        for source in sorted((ROOT / folder / "_async").glob("*.py")):
            text = source.read_text(encoding="utf-8")
            yield ROOT / folder / "_sync" / source.name, twin(text, source.name) if text else ""


def stale() -> list[Path]:
    """The files that are not what they should be, and those that should not be there."""
    wanted = dict(twins())
    there = {path for folder in FOLDERS for path in (ROOT / folder / "_sync").glob("*.py")}
    wrong = [path for path, text in wanted.items() if path not in there or path.read_text(encoding="utf-8") != text]
    return sorted([*wrong, *(there - wanted.keys())])


def main() -> int:
    """Answers the exit status."""
    if "--check" in sys.argv[1:]:
        wrong = stale()
        for path in wrong:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what generate_sync.py makes: run it\n")
        return int(bool(wrong))
    wanted = dict(twins())
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in stale():
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
