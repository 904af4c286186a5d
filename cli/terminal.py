"""The terminal: data to standard output, messages to standard error, and no foreign text printed as it came."""

import os
import stat
import sys
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from jobs.printable import plain, plain_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_WIDE = 10_000
"""Columns where nobody looks: what is piped is not cut to a screen's width."""


def cell(text: object, style: str = "") -> "Text":
    """A table's cell that holds foreign text: neither markup nor control characters mean anything in it."""
    from rich.text import Text  # noqa: PLC0415 - slow to import, and not every command draws

    return Text(plain(str(text)), style=style)


def say(message: str) -> None:
    """Tells the user something, on standard error."""
    sys.stderr.write(plain(message) + "\n")
    sys.stderr.flush()


def emit(document: Any, *, line: bool = False) -> None:
    """Writes a JSON document to standard output; indented where somebody looks, unless it is one of many lines."""
    import orjson  # noqa: PLC0415 - not every command writes JSON

    indent = orjson.OPT_INDENT_2 if sys.stdout.isatty() and not line else 0
    sys.stdout.flush()
    written = orjson.dumps(document, option=indent | orjson.OPT_APPEND_NEWLINE).decode()
    sys.stdout.buffer.write(plain_json(written).encode())
    sys.stdout.buffer.flush()


def heading(*names: str, right: Container[str] = (), wrapped: Container[str] = ()) -> "Table":
    """A table without lines, with these columns; those in `right` are numbers, those in `wrapped` give way."""
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name not in wrapped)
    return table


def is_terminal(*, err: bool = False) -> bool:
    """Whether somebody looks; that colours are forced, as rich reads FORCE_COLOR, does not make it one."""
    return (sys.stderr if err else sys.stdout).isatty()


def let_go() -> None:
    """Writes to nowhere from now on: the terminal is gone, and an error about that would get in the way of the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):  # it says that it is no terminal once that is gone
            os.dup2(nowhere, stream.fileno())


def show(*drawn: "RenderableType", err: bool = False) -> None:
    """Prints what is drawn; where it is no terminal, without the blanks that fill a table's lines."""
    screen = console(err=err)
    if is_terminal(err=err):
        screen.print(*drawn, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*drawn, sep="\n")
    stream = sys.stderr if err else sys.stdout
    stream.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())
    stream.flush()


def console(*, err: bool = False) -> "Console":
    """A console for tables and live views; not cut to any width where it is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not every command draws

    found = Console(stderr=err, highlight=False, markup=False, emoji=False)
    if not is_terminal(err=err):
        found.width = _WIDE
    return found
