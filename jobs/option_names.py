"""How options are named in an error: on the command line otherwise than over HTTP.

Whoever raises an error that names an option writes a mark in its place. Whoever tells the error puts the name of the
option there. The mark is of characters that no foreign text in an error holds: they cannot be printed, so they are
escaped.
"""

import re
from collections.abc import Mapping
from typing import Final

_BEGIN: Final = "\ue000"
_END: Final = "\ue001"
_MARK: Final = re.compile(f"{_BEGIN}([a-z_]+){_END}")

COLUMN: Final = f"{_BEGIN}column{_END}"
DELIMITER: Final = f"{_BEGIN}delimiter{_END}"
NO_HEADER: Final = f"{_BEGIN}no_header{_END}"
SKIP_LINES: Final = f"{_BEGIN}skip_lines{_END}"
MAX_INVALID: Final = f"{_BEGIN}max_invalid{_END}"
DEADLINE: Final = f"{_BEGIN}deadline{_END}"
START_AT: Final = f"{_BEGIN}start_at{_END}"

OptionNames = Mapping[str, str]
"""What is put in place of each mark."""

_MARKED: Final = ("column", "delimiter", "no_header", "skip_lines", "max_invalid", "deadline", "start_at")
COMMAND_LINE: Final[OptionNames] = {name: f"--{name.replace('_', '-')}" for name in _MARKED}
PARAMETERS: Final[OptionNames] = {name: f"`{name.removeprefix('no_')}`" for name in _MARKED}


def named(text: str, names: OptionNames) -> str:
    """A text with these names in place of the marks."""
    return _MARK.sub(lambda found: names[found[1]], text) if _BEGIN in text else text
