"""The terminal: data to standard output, messages to standard error, and no foreign text printed as it came."""

import os
import stat
import sys
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from cancellist.jobs.escaping import plain, plain_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_GAP = 2
_WIDE = 10_000
"""Columns where nobody looks: what is piped is not cut to a screen's width."""


def cell(text: object, style: str = "") -> "Text":
    """A table's cell that holds foreign text: neither markup nor control characters mean anything in it."""
    from rich.text import Text  # noqa: PLC0415 - slow to import, and not every command draws

    return Text(plain(str(text)), style=style)


class Messages:
    """What is said beside the data; under `--json` it is held back until it is sure that no error follows.

    An error under `--json` is one JSON object, in which what was said before it then stands.
    """

    def __init__(self) -> None:
        self._held: list[str] | None = None

    def hold(self) -> None:
        """Holds back what is said from now on."""
        self._held = []

    def take(self) -> list[str]:
        """What was held back; nothing is any more."""
        held, self._held = self._held or [], None
        return held

    def release(self) -> None:
        """Says what was held back, and what comes at once."""
        for message in self.take():
            self.say(message)

    def say(self, message: str) -> None:
        """Says something, or keeps it."""
        if self._held is not None:
            self._held.append(plain(message))
            return
        sys.stderr.write(plain(message) + "\n")
        sys.stderr.flush()


MESSAGES: Final = Messages()


def say(message: str) -> None:
    """Tells the user something, on standard error."""
    MESSAGES.say(message)


def say_now(message: str) -> None:
    """The same, of what takes a while: it is not held back."""
    MESSAGES.release()
    MESSAGES.say(message)


def emit(document: Any, *, line: bool = False) -> None:
    """Writes a JSON document to standard output; indented where somebody looks, unless it is one of many lines."""
    import orjson  # noqa: PLC0415 - not every command writes JSON

    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() and not line else 0)
    try:
        written = orjson.dumps(document, option=option).decode()
    except orjson.JSONEncodeError:  # half a character, as a file's name or a JSON key may hold
        written = orjson.dumps(_whole(document), option=option).decode()
    sys.stdout.flush()
    sys.stdout.buffer.write(plain_json(written).encode())
    sys.stdout.buffer.flush()
    MESSAGES.release()


def _whole(value: Any) -> Any:
    """The same document with texts that can be encoded: halves of characters are escaped."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_whole(name): _whole(one) for name, one in value.items()}
        case list() | tuple():
            return [_whole(one) for one in value]
        case _:
            return value


def heading(*names: str, right: Container[str] = (), wrapped: Container[str] = ()) -> "Table":
    """A table without lines, with these columns; those in `right` are numbers, those in `wrapped` give way."""
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        side: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, justify=side, no_wrap=name not in wrapped, overflow="fold")
    return table


def fitting(
    names: Sequence[str], rows: Sequence[Sequence["Text"]], left_out: Sequence[str], least: Mapping[str, int]
) -> list[int]:
    """Places of the columns that the terminal has room for.

    Args:
        names: of the columns.
        rows: cells, as wide as they want to be.
        left_out: columns that may be left out, in this order.
        least: columns whose text is wrapped, and the width that it needs so that its lines can be read.
    """
    kept, room = list(range(len(names))), width()
    wanted = [
        max([len(name), *(min(least.get(name, row[place].cell_len), row[place].cell_len) for row in rows)])
        for place, name in enumerate(names)
    ]
    for name in left_out:
        if sum(wanted[place] + _GAP for place in kept) - _GAP <= room:
            break
        kept.remove(names.index(name))
    return kept


def is_terminal(*, err: bool = False) -> bool:
    """Whether somebody looks; that colours are forced, as rich reads FORCE_COLOR, does not make it one."""
    return (sys.stderr if err else sys.stdout).isatty()


def is_plain() -> bool:
    """Whether nobody looks at standard output, and rich is not told to draw for somebody all the same."""
    return not is_terminal() and not any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def let_go() -> None:
    """Writes to nowhere from now on: the terminal is gone, and an error about that would get in the way of the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):  # it says that it is no terminal once that is gone
            os.dup2(nowhere, stream.fileno())


def show_plain(rows: Mapping[str, str]) -> None:
    """Writes names and values as `show` prints a grid of them where it is no terminal, without rich.

    It takes an eighth of a short command's time to import. Names are ASCII, and values hold no control characters.
    """
    widest = max(map(len, rows))
    sys.stdout.writelines(f"{name:{widest}}  {value}".rstrip() + "\n" for name, value in rows.items())
    sys.stdout.flush()


def show(*drawn: "RenderableType", err: bool = False, least: int = 0) -> None:
    """Prints what is drawn; where it is no terminal, without the blanks that fill a table's lines.

    Args:
        drawn: tables and texts.
        err: on standard error.
        least: columns that are drawn also on a narrower terminal, which then breaks lines itself.
    """
    screen = console(err=err)
    if is_terminal(err=err):
        screen.width = max(screen.width, least)
        screen.print(*drawn, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*drawn, sep="\n")
    stream = sys.stderr if err else sys.stdout
    stream.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())
    stream.flush()


def width() -> int:
    """Columns of standard output."""
    return console().width


def console(*, err: bool = False) -> "Console":
    """A console for tables and live views; not cut to any width where it is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not every command draws

    found = Console(stderr=err, highlight=False, markup=False, emoji=False)
    if not is_terminal(err=err):
        found.width = _WIDE
    return found
