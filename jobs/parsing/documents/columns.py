"""Finds the column, or the key of objects, that holds the references."""

from collections.abc import Mapping, Sequence
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import cut, shown
from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.headings import says_not

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
_NAME_SHOWN: Final = 30


def looks_like_reference(name: str) -> bool:
    """Whether a heading such as 'Consignment Reference' or 'consignment_reference' names references."""
    return "".join(filter(str.isalnum, name.casefold())) in _LIKELY


def alike(names: Sequence[str], column: str) -> list[int]:
    """The positions of the names that equal `column`: exactly, else without case and spaces."""
    for spell in (bare, folded):
        if found := [position for position, name in enumerate(names) if spell(name) == spell(column)]:
            return found
    return []


def locate(names: Sequence[str], column: str) -> int | None:
    """The position of `column` in `names`; None where it is not among them.

    Raises:
        InputError: several columns have that name.
    """
    found = alike(names, column)
    if len(found) > 1:
        raise InputError(
            f"{len(found)} columns are named {quoted(column)}: give its number to {COLUMN}, from 1; {listing(names)}"
        )
    return found[0] if found else None


def choose(names: Sequence[str], held: Sequence[int], sample: int, elsewhere: Mapping[str, int] | None = None) -> int:
    """The position of the one column that holds the references.

    The column whose name says so is taken. If several names do, or none, it is the only column of these, or of all,
    that holds references. The name decides before the content, since a column with references may be about consignments
    that are not to be cancelled. If another column holds more references than the named one, nothing is taken.

    Args:
        names: the names of all columns.
        held: the number of references in each column, in a sample of rows.
        sample: the number of rows in the sample.
        elsewhere: the number of references in places that must be named to be used, such as keys of inner objects.

    Raises:
        InputError: no column, or more than one, may be meant.
    """
    likely = [position for position, name in enumerate(names) if looks_like_reference(name)]
    others = {name: number for name, number in (elsewhere or {}).items() if number}
    matching = likely if len(likely) == 1 else [one for one in likely or range(len(names)) if held[one]]
    if len(matching) != 1:
        if others and not matching:
            first = next(iter(others))
            raise InputError(f"references are under {quoted(first)}: choose it with {COLUMN} {plainly(first)}")
        which = "several columns may hold" if likely or matching else "no column is known to hold"
        raise InputError(f"{which} the references: choose one with {COLUMN}; {listing(names)}")
    found = matching[0]
    if says_not(names[found]):
        raise InputError(
            f"references are under {quoted(names[found])}, whose name says that they may not be meant: choose it with "
            f"{COLUMN} if they are"
        )
    rivals = others | {name: held[position] for position, name in enumerate(names) if position != found}
    best = max(rivals, key=lambda name: rivals[name], default="")
    if best and rivals[best] > held[found]:
        raise InputError(
            f"column {quoted(names[found])} was found by its name, but {quoted(best)} holds more references: "
            f"choose one with {COLUMN}"
        )
    if not likely and 2 * held[found] < sample:
        raise InputError(
            f"only some rows hold a reference, in column {quoted(names[found])}: choose it with {COLUMN} if it is meant"
        )
    return found


def quoted(name: str) -> str:
    """A name for messages: escaped, cut and in quotes."""
    return f"'{plainly(name)}'"


def plainly(name: str) -> str:
    """A name for messages: escaped and cut."""
    return cut(shown(bare(name)), _NAME_SHOWN)


def listing(names: Sequence[str], what: str = "columns") -> str:
    """Lists the columns for a message."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"the {what} are: {', '.join(map(quoted, names[:_LISTED])) or 'none'}{more}"


def folded(name: str) -> str:
    """A name without blanks, in one case."""
    return "".join(bare(name).casefold().split())
