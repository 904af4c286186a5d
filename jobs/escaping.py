"""Foreign text made harmless for whoever prints it: terminals, logs and files that are looked at in one."""

import re
from typing import Final

# what may not be printable: nothing of ASCII but the controls, and anything beyond it
_SUSPECT: Final = re.compile(r"[^ -~]")
_LAID_OUT: Final = "\t\r\n"
_SHOWN: Final = 100


def plain(text: str, *, keep: str = "") -> str:
    """Escapes what cannot be printed, so that foreign text neither moves the cursor nor colours the screen.

    Bidirectional controls and what has no width count as not printable, since they make text look like other text.

    Args:
        text: as it came.
        keep: characters that pass all the same.
    """
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda found: _escaped(found[0], keep), text)


def shown(text: str) -> str:
    """Cut `text` to 100 characters and escape what cannot be printed, so that it can be stored and shown anywhere."""
    cut = plain(text[: _SHOWN + 1])
    return cut if len(cut) <= _SHOWN else cut[: _SHOWN - 1] + "…"


def plain_lines(text: str) -> str:
    """The same, but for the ends of lines and tabs: for tracebacks."""
    return plain(text, keep="\n\t")


def plain_cell(text: str) -> str:
    """The same, but for what lays out a text within a cell of a spreadsheet."""
    return plain(text, keep=_LAID_OUT)


def plain_json(document: str) -> str:
    """Escapes, as JSON does, what a JSON document may hold unescaped and no terminal should be given."""
    if document.isascii() and "\x7f" not in document:
        return document
    return _SUSPECT.sub(lambda found: _json_escaped(found[0]), document)


def _escaped(character: str, keep: str) -> str:
    if character in keep or character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _json_escaped(character: str) -> str:
    if character.isprintable() or character in _LAID_OUT:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
