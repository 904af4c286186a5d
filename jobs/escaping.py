"""Foreign text made safe to print in terminals, logs and files."""

import re
from typing import Final

# Characters that need a look: ASCII controls and everything beyond ASCII.
_SUSPECT: Final = re.compile(r"[^ -~]")
_LAID_OUT: Final = "\t\r\n"
_SHOWN: Final = 100


def plain(text: str, *, keep: str = "") -> str:
    """Escapes what cannot be printed, so that foreign text cannot move the cursor or colour the screen.

    Bidirectional controls and characters without width are escaped too: they make text look like other text.

    Args:
        text: the foreign text.
        keep: characters that are not escaped.
    """
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda found: _escaped(found[0], keep), text)


def says_nothing(text: str) -> bool:
    """Whether a text has nothing that can be seen, such as spaces, controls or characters without width alone."""
    return not any(character.isprintable() and not character.isspace() for character in text)


def cut(text: str, most: int) -> str:
    """Shortens `text` to `most` characters; the last of them then says that there was more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shown(text: str) -> str:
    """Cuts `text` to 100 characters and escapes what cannot be printed, so that it can be stored and shown anywhere."""
    return cut(plain(text[: _SHOWN + 1]), _SHOWN)


def plain_lines(text: str) -> str:
    """Escapes all but line ends and tabs: for tracebacks."""
    return plain(text, keep="\n\t")


def plain_cell(text: str) -> str:
    """Escapes all but line ends and tabs, which lay out the text of a spreadsheet's cell."""
    return plain(text, keep=_LAID_OUT)


def plain_json(document: str) -> str:
    """Escapes in JSON's form what JSON may hold unescaped and a terminal should not get."""
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
