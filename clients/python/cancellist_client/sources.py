"""What is handed in, as bytes that can be sent again from the start.

- A list, tuple or set of references is sent as it stands: as one JSON document where it is small, else as JSON lines.
- Any other iterable of references can be read but once. It is written to a temporary file first, and sent from there.
- A regular file is opened anew for each attempt; a named pipe is copied to a temporary file first.
- An open file is sent from where it stands, and is wound back to there. One that cannot be is copied first.

Memory is bounded by the size of a block. What a file holds is told by its name's ending, or by `content_type`.
"""

import json
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import IO, Any, Final, Protocol, Self, cast, runtime_checkable

from cancellist_client.errors import InputError, wrong

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
TEXT: Final = "text/plain"
CONTENT_TYPES: Final = (CSV, NDJSON, JSON, TEXT)

_OF_ENDING: Final = {
    ".csv": CSV, ".tsv": CSV, ".json": JSON, ".jsonl": NDJSON, ".ndjson": NDJSON, ".txt": TEXT,
}  # fmt: skip
_BLOCK: Final = 256 * 1024
_LINES: Final = 5_000
_SMALL: Final = 5_000
"""References that are sent as one JSON document."""
_IN_MEMORY: Final = 1024 * 1024
_SHOWN: Final = 60


@runtime_checkable
class Readable(Protocol):
    """An open file, of bytes or of text."""

    def read(self, size: int = ..., /) -> bytes | str:
        """The next bytes or characters, at most so many; none at the end."""
        ...


@dataclass(slots=True)
class Source:
    """What is sent.

    Attributes:
        content_type: what the bytes are.
        encoding: `gzip` where they are packed, else None.
        references: all of them, where they are few.
        made_here: whether the bytes are made of references by this package, as JSON lines.
    """

    content_type: str
    encoding: str | None
    blocks: Callable[[], Iterator[bytes]]
    references: Sequence[str] | None = None
    made_here: bool = False
    _kept: ExitStack = field(default_factory=ExitStack, repr=False)

    def close(self) -> None:
        """Removes what was kept for another attempt."""
        self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def source_of(given: object, content_type: str | None = None) -> Source:
    """Finds out how something can be sent, and sent again.

    Raises:
        InputError: it is not surely understood.
    """
    if content_type is not None and content_type not in CONTENT_TYPES:
        raise wrong("content_type", f"it is none of {', '.join(CONTENT_TYPES)}")
    match given:
        case str() | bytes() | bytearray() | memoryview():
            raise wrong(
                "references", "give a list of references, a pathlib.Path or an open file: a text alone could be any"
            )
        case os.PathLike():
            return _of_path(cast("os.PathLike[str]", given), content_type)
        case Readable():
            return _of_file(given, content_type)
        case Iterable():
            if content_type is not None:
                raise wrong("content_type", "it is for files; references are sent as JSON")
            return _of_references(cast("Iterable[object]", given))
        case _:
            raise wrong("references", f"give references, a pathlib.Path or an open file, not {type(given).__name__}")


def _of_path(path: os.PathLike[str], content_type: str | None) -> Source:
    kind, encoding = _told_by(os.fspath(path), content_type)

    def blocks() -> Iterator[bytes]:
        with open(path, "rb") as file:  # noqa: PTH123 - any PathLike
            yield from _read(file)

    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - as above
        return _spooled(kind, encoding, blocks())  # such as a named pipe, which cannot be read twice
    with open(path, "rb"):  # noqa: PTH123 - what cannot be read is told before anything is sent
        pass
    return Source(kind, encoding, blocks)


def _of_file(file: Readable, content_type: str | None) -> Source:
    name = getattr(file, "name", None)
    kind, encoding = _told_by(name if isinstance(name, str) else "", content_type)
    start = _place(file)
    if start is None:
        return _spooled(kind, encoding, _read(file))
    anchored: Any = file

    def blocks() -> Iterator[bytes]:
        anchored.seek(start)
        yield from _read(file)

    return Source(kind, encoding, blocks)


def _place(file: Any) -> int | None:
    """Where a file stands; None where it cannot be wound back to there."""
    try:
        place: int = file.tell()
        file.seek(place)
    except (AttributeError, OSError, ValueError):
        return None
    return place


def _of_references(given: Iterable[object]) -> Source:
    if not isinstance(given, Collection) or not isinstance(given, Sequence | AbstractSet):
        return _spooled(NDJSON, None, _lines(given), made_here=True)
    _check_some(len(given))
    if len(given) <= _SMALL:
        references = list(_checked(given))
        return Source(JSON, None, lambda: iter([json.dumps(references).encode()]), references, made_here=True)
    for _ in _checked(given):  # a wrong one is told of before anything is sent
        pass
    return Source(NDJSON, None, lambda: _lines(given), made_here=True)


def _spooled(kind: str, encoding: str | None, blocks: Iterator[bytes], *, made_here: bool = False) -> Source:
    """Copies what can be read but once."""
    kept = ExitStack()
    try:
        spool: IO[bytes] = kept.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - it is kept
        for block in blocks:
            spool.write(block)
        _check_some(not made_here or spool.tell())
    except BaseException:
        kept.close()
        raise

    def again() -> Iterator[bytes]:
        spool.seek(0)
        yield from _read(spool)

    return Source(kind, encoding, again, made_here=made_here, _kept=kept)


def _read(file: Readable) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block.encode() if isinstance(block, str) else block


def _lines(references: Iterable[object]) -> Iterator[bytes]:
    """JSON lines, in blocks."""
    lines: list[str] = []
    for reference in _checked(references):
        lines.append(json.dumps(reference))
        if len(lines) >= _LINES:
            yield ("\n".join(lines) + "\n").encode()
            lines.clear()
    if lines:
        yield ("\n".join(lines) + "\n").encode()


def _checked(references: Iterable[object]) -> Iterator[str]:
    for at, reference in enumerate(references, 1):
        if not isinstance(reference, str):
            raise wrong("references", f"number {at:,} is no text but {type(reference).__name__}")
        yield reference


def _check_some(count: int) -> None:
    if not count:
        raise wrong("references", "there is none")


def _told_by(name: str, content_type: str | None) -> tuple[str, str | None]:
    """What a file of this name holds, and how it is packed."""
    endings = [ending.lower() for ending in PurePath(name).suffixes[-2:]]
    packed = bool(endings) and endings[-1] == ".gz"
    if content_type is None:
        ending = next(iter(endings[-2 if packed else -1 :]), "") if endings else ""
        content_type = _OF_ENDING.get(ending)
    if content_type is None:
        raise _untold(name)
    return content_type, "gzip" if packed else None


def _untold(name: str) -> InputError:
    shown = PurePath(name).name[:_SHOWN]
    what = f"the name {shown!r} does not tell" if shown else "an open file without a name does not tell"
    return wrong("references", f"{what} what the file holds: give content_type, one of {', '.join(CONTENT_TYPES)}")
