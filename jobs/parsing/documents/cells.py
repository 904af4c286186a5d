"""Strips what surrounds a reference in a cell or on a line: blanks, quotes, and the formula that keeps it text."""

from collections.abc import Sequence
from typing import Final

from cancellist.jobs.parsing.references import NOISE

_CLOSING: Final = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_OPENING: Final = frozenset("=" + "".join(_CLOSING))
_FORMULA: Final = '="'


def bare(cell: str) -> str:
    """Strips blanks, pairs of quotes, `="..."` and a spreadsheet's leading apostrophe from a cell."""
    cell = cell.strip(NOISE)
    if cell[:1] not in _OPENING:
        return cell
    if cell.startswith(_FORMULA) and cell.endswith('"') and len(cell) > len(_FORMULA):
        cell = cell[len(_FORMULA) : -1].strip(NOISE)
    while len(cell) > 1 and _CLOSING.get(cell[0]) == cell[-1]:
        cell = cell[1:-1].strip(NOISE)
    return cell.removeprefix("'").lstrip(NOISE)


def wrapped(text: str) -> bool:
    """Whether any cell of a text may be surrounded by more than ASCII white space."""
    return '"' in text or "'" in text or not text.isascii()


def without_blanks(lines: Sequence[int], values: list[str]) -> tuple[Sequence[int], list[str], int]:
    """Leaves out empty entries; returns the lines and values that are left, and the number of empty ones."""
    # For ASCII, plain `strip` removes the same characters, four times as fast.
    if all(map(str.strip, values)) and (all(map(str.isascii, values)) or all(value.strip(NOISE) for value in values)):
        return lines, values, 0
    kept = [(line, value) for line, value in zip(lines, values, strict=True) if value.strip(NOISE)]
    return [line for line, _ in kept], [value for _, value in kept], len(values) - len(kept)
