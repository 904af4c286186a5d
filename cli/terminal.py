"""Output to the terminal: data on standard output, messages on standard error, foreign text always escaped."""

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
"""Width when the output is not a terminal: piped tables are not cut."""


def cell(text: object, style: str = "") -> "Text":
    """Returns a table cell of foreign text. Markup and control characters have no effect in it."""
    from rich.text import Text  # noqa: PLC0415 - slow to import, and not every command draws

    return Text(plain(str(text)), style=style)


class Messages:
    """Messages beside the data. With `--json` they are held back until no error can follow.

    An error with `--json` is one JSON object, which then holds the messages before it.
    """

    def __init__(self) -> None:
        self._held: list[str] | None = None

    def hold(self) -> None:
        """Holds back all messages from now on."""
        self._held = []

    def take(self) -> list[str]:
        """Returns the messages held back, and stops holding back."""
        held, self._held = self._held or [], None
        return held

    def release(self) -> None:
        """Writes the messages held back, and later ones at once."""
        for message in self.take():
            self.say(message)

    def say(self, message: str) -> None:
        """Writes a message, or holds it back."""
        if self._held is not None:
            self._held.append(plain(message))
            return
        sys.stderr.write(plain(message) + "\n")
        sys.stderr.flush()


MESSAGES: Final = Messages()


def say(message: str) -> None:
    """Writes a message to standard error."""
    MESSAGES.say(message)


def say_now(message: str) -> None:
    """Writes a message to standard error at once, even with `--json`; for waits that the user should see."""
    MESSAGES.release()
    MESSAGES.say(message)


def emit(document: Any, *, line: bool = False) -> None:
    """Writes a JSON document to standard output. On a terminal it is indented, unless `line` asks for one line."""
    import orjson  # noqa: PLC0415 - not every command writes JSON

    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() and not line else 0)
    try:
        written = orjson.dumps(document, option=option).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, from a file's name or a JSON key
        written = orjson.dumps(_whole(document), option=option).decode()
    sys.stdout.flush()
    sys.stdout.buffer.write(plain_json(written).encode())
    sys.stdout.buffer.flush()
    MESSAGES.release()


def _whole(value: Any) -> Any:
    """Returns the document with lone surrogates escaped, so that it can be encoded."""
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
    """Returns a table without rules. Columns in `right` are right-aligned; those in `wrapped` may wrap."""
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        side: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, justify=side, no_wrap=name not in wrapped, overflow="fold")
    return table


def fitting(
    names: Sequence[str], rows: Sequence[Sequence["Text"]], left_out: Sequence[str], least: Mapping[str, int]
) -> list[int]:
    """Returns the positions of the columns that fit on the terminal.

    Args:
        names: the column names.
        rows: the cells.
        left_out: columns to leave out if needed, the first one first.
        least: by name of a column whose text may wrap, the least readable width.
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
    """Returns whether the stream is a terminal. FORCE_COLOR, which rich obeys, does not make it one."""
    return (sys.stderr if err else sys.stdout).isatty()


def is_plain() -> bool:
    """Whether nobody looks at standard output, and rich is not told to draw for somebody all the same."""
    return not is_terminal() and not any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def let_go() -> None:
    """Redirects output to `/dev/null` after the terminal has closed, so that writes cannot disturb the clean-up."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):  # isatty() is False once the terminal is gone
            os.dup2(nowhere, stream.fileno())


def show_plain(rows: Mapping[str, str]) -> None:
    """Writes names and values as `show` prints a grid of them where it is no terminal, without rich.

    It takes an eighth of a short command's time to import. Names are ASCII, and values hold no control characters.
    """
    widest = max(map(len, rows))
    sys.stdout.writelines(f"{name:{widest}}  {value}".rstrip() + "\n" for name, value in rows.items())
    sys.stdout.flush()


def show(*drawn: "RenderableType", err: bool = False, least: int = 0) -> None:
    """Prints tables and texts. If the output is not a terminal, trailing spaces are removed.

    Args:
        drawn: tables and texts.
        err: print to standard error.
        least: width to draw even if the terminal is narrower. The terminal then breaks the lines.
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
    """Returns the width of standard output in columns."""
    return console().width


def console(*, err: bool = False) -> "Console":
    """Returns a console for tables and live views. If it is not a terminal, nothing is cut."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not every command draws

    found = Console(stderr=err, highlight=False, markup=False, emoji=False)
    if not is_terminal(err=err):
        found.width = _WIDE
    return found
