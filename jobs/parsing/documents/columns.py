"""Which column, or which key of an object, holds the references."""

from collections.abc import Mapping, Sequence
from typing import Final

from cancellist.jobs.errors import InputError
from cancellist.jobs.option_names import COLUMN
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.headings import says_not
from cancellist.jobs.parsing.references import shown

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


def alike(names: Sequence[str], column: str) -> list[int]:
    """Give the positions of `names` that are `column`: as it is spelt, else whatever their case and spaces."""
    for spell in (bare, folded):
        if found := [position for position, name in enumerate(names) if spell(name) == spell(column)]:
            return found
    return []


def locate(names: Sequence[str], column: str) -> int | None:
    """Give the position of `column` in `names`; None where it is not.

    Raises:
        InputError: two have that name.
    """
    found = alike(names, column)
    if len(found) > 1:
        raise InputError(
            f"{len(found)} columns are named {quoted(column)}: give its number to {COLUMN}, from 1; {listing(names)}"
        )
    return found[0] if found else None


def choose(names: Sequence[str], held: Sequence[int], sample: int, elsewhere: Mapping[str, int] | None = None) -> int:
    """Give the position of the one column that holds the references.

    It is the one whose name says so. Where several or none do, it is the only one of these, or of all, that holds
    references. A name goes before content, since a column that merely holds references may be about other
    consignments than those to be cancelled; but not where another column holds more of them.

    Args:
        names: of all columns.
        held: the references that each holds in a sample of rows.
        sample: the rows of the sample.
        elsewhere: the references held by what can only be meant where it is named, such as the keys of inner objects.

    Raises:
        InputError: there is none, or more than one may be meant.
    """
    likely = [position for position, name in enumerate(names) if looks_like_reference(name)]
    others = {name: number for name, number in (elsewhere or {}).items() if number}
    matching = likely if len(likely) == 1 else [one for one in likely or range(len(names)) if held[one]]
    if len(matching) != 1:
        if others and not matching:
            first = next(iter(others))
            raise InputError(f"references are under {quoted(first)}: name it with {COLUMN} {plainly(first)}")
        which = "several columns may be" if likely or matching else "no column is known to be"
        raise InputError(f"{which} the one with the references: name it with {COLUMN}; {listing(names)}")
    found = matching[0]
    if says_not(names[found]):
        raise InputError(
            f"references are under {quoted(names[found])}, and by its name they may not be meant: name it with "
            f"{COLUMN} if they are"
        )
    rivals = others | {name: held[position] for position, name in enumerate(names) if position != found}
    best = max(rivals, key=lambda name: rivals[name], default="")
    if best and rivals[best] > held[found]:
        raise InputError(
            f"column {quoted(names[found])} was found by its name, but {quoted(best)} holds more references: "
            f"name the one that is meant with {COLUMN}"
        )
    if not likely and 2 * held[found] < sample:
        raise InputError(
            f"only some rows hold a reference, in column {quoted(names[found])}: name it with {COLUMN} if it is meant"
        )
    return found


def quoted(name: str) -> str:
    """Give a name to be shown: escaped, cut and between quotes."""
    return f"'{plainly(name)}'"


def plainly(name: str) -> str:
    """Give a name to be shown: escaped and cut."""
    text = shown(bare(name))
    return text if len(text) <= _NAME_SHOWN else f"{text[:_NAME_SHOWN]}…"


def listing(names: Sequence[str], what: str = "columns") -> str:
    """Say what columns there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"the {what} are: {', '.join(map(quoted, names[:_LISTED])) or 'none'}{more}"


def folded(name: str) -> str:
    """Give a name without blanks and the case of its letters."""
    return "".join(bare(name).casefold().split())
