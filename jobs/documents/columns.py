"""Which column, or which key of an object, holds the references."""

from collections.abc import Iterable, Sequence
from typing import Final

from jobs.errors import InputError
from jobs.references import NOISE, ReferencePattern, normalise

_LIKELY: Final = frozenset(
    {
        "reference",
        "references",
        "ref",
        "consignment",
        "consignments",
        "consignmentref",
        "consignmentreference",
        "consignmentreferences",
    }
)
_LISTED: Final = 20
_NAME_SHOWN: Final = 40


def looks_like_reference(name: str) -> bool:
    """Say whether a heading such as 'Consignment Reference' or 'consignment_reference' names references."""
    return "".join(filter(str.isalnum, name.casefold())) in _LIKELY


def locate(names: Sequence[str], column: str) -> int | None:
    """Give the position of `column` in `names`: as spelt, else whatever its case and spaces; None where it is not.

    Raises:
        InputError: two have that name.
    """
    for spell in (_trimmed, _folded):
        found = [position for position, name in enumerate(names) if spell(name) == spell(column)]
        if len(found) > 1:
            raise InputError(f"{len(found)} columns are named {column!r}: rename all but one; {listing(names)}")
        if found:
            return found[0]
    return None


def choose(names: Sequence[str], rows: Iterable[Sequence[str]], column: str | None, pattern: ReferencePattern) -> int:
    """Give the position of the column that holds the references.

    It is `column`, if given. Else the one whose name says so; where several or none do, the only one of these, or of
    all, that holds references in `rows`. A name goes before content: a column that merely holds references may be
    about other consignments than those to be cancelled.

    Raises:
        InputError: there is none, or more than one may be meant.
    """
    if column is not None:
        position = locate(names, column)
        if position is None:
            raise InputError(f"there is no column {column!r}; {listing(names)}")
        return position
    likely = [position for position, name in enumerate(names) if looks_like_reference(name)]
    if len(likely) == 1:
        return likely[0]
    holding = holders(rows, pattern)
    matching = [position for position in likely or range(len(names)) if position in holding]
    if len(matching) == 1:
        return matching[0]
    which = "several columns may be" if likely or matching else "no column is known to be"
    raise InputError(f"{which} the one with the references: name it with --column; {listing(names)}")


def holders(rows: Iterable[Sequence[str]], pattern: ReferencePattern) -> set[int]:
    """Give the positions that hold a reference in any of `rows`."""
    return {position for row in rows for position, cell in enumerate(row) if pattern.matches(normalise(cell))}


def listing(names: Sequence[str]) -> str:
    """Say what columns there are."""
    shown = [name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…" for name in map(_trimmed, names[:_LISTED])]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"the columns are: {', '.join(map(repr, shown)) or 'none'}{more}"


def _trimmed(name: str) -> str:
    return name.strip(NOISE)


def _folded(name: str) -> str:
    return "".join(name.strip(NOISE).casefold().split())
