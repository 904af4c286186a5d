"""Has each process of tests collect only files that hold tests of its phase: to collect all takes it several seconds.

The phases are those of `.ci/run-tests`. Whoever chooses by other marks, or by none, collects all.
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

COMPUTING = tuple(Path(__file__).parent / "tests" / name for name in ("unit", "properties", "scenarios"))
"""Where tests start no process and wait for nothing."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Looks for no garbage while tests are collected, nor ever among them: they stay until the process ends.

    To look took each process as long as all the rest of its collecting.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out what has no test of the phase."""
    computing = any(map(collection_path.is_relative_to, COMPUTING))
    match config.option.markexpr:
        case "timed":
            needed = not collection_path.name.startswith("test_") or _says_timed(collection_path)
        case "computing":
            needed = computing or any(folder.is_relative_to(collection_path) for folder in COMPUTING)
        case "not timed and not computing":
            needed = not computing
        case _:
            needed = True
    return None if needed else True


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks tests that only compute: they run beside the others, on what those leave of the processors."""
    timed = item.get_closest_marker("timed")
    if timed and not _says_timed(item.path):
        raise pytest.UsageError(f"{item.path} has tests that are timed, and does not say `mark.timed`")
    if not timed and any(map(item.path.is_relative_to, COMPUTING)):
        item.add_marker("computing")


def _says_timed(path: Path) -> bool:
    return path.is_dir() or "mark.timed" in path.read_text(encoding="utf-8")
