"""What `cancellist reinstate` says: what would be created, and what was."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cancellist.cli.output import wording
from cancellist.cli.output.environment import Whereabouts, names
from cancellist.jobs.escaping import plain
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement

_EXAMPLES: Final = 5
_UNCONFIRMED: Final = (
    "what may have been created is never sent again by itself: give the command again, and it is looked for once more; "
    "where it is surely not on the platform, --again creates it"
)
WORDS: Final = {
    Fate.CREATED: "created anew",
    Fate.ALREADY_CREATED: "created anew before",
    Fate.REFUSED: "refused by the platform",
    Fate.UNCONFIRMED: "perhaps created anew: nobody knows yet",
    Fate.PENDING: "not created yet",
    Fate.NOT_CANCELLED: "not cancelled on the platform now",
    Fate.CANCELLED_BEFORE: "cancelled before the job, so not by it",
    Fate.INCOMPLETE: "without the least that a new one needs",
    Fate.UNKNOWN: "not to be judged",
    Fate.NO_RECORD: "cancelled by the job, and without a record on this machine",
}


def plan(
    target: str, place: Whereabouts, to_create: Sequence[tuple[str, str]], fates: Iterable[Reinstatement],
    notes: Iterable[str], again: int,
) -> Iterator[str]:  # fmt: skip
    """What would be done, in words, a line each.

    Args:
        target: the job or the reference.
        place: where it would be created.
        to_create: what would be created: reference, and who gets it.
        fates: what becomes of the others.
        notes: what else there is to know.
        again: how many of them an earlier run may have created.
    """
    where = names(place.environments)
    number = len(to_create)
    what = _consignments(number) if number else "no consignment"
    yield f"{target}: {what} would be created on {where}, account {place.account}"
    for reference, who in to_create[:_EXAMPLES]:
        yield f"  {reference}{f', for {who}' if who else ''}"
    if number > _EXAMPLES:
        yield f"  and {wording.count(number - _EXAMPLES)} more"
    if again:
        yield f"  {wording.count(again)} of them may be there already, by an earlier run: then there will be two"
    yield from _fates(fates)
    for one in notes:
        yield f"  {one}"
    if any(one.fate is Fate.UNCONFIRMED for one in fates):
        yield f"  {_UNCONFIRMED}"
    if number:
        yield "  each is a new consignment with a new reference, not allocated yet: price, label and pickup may differ"
        yield "  it cannot be undone: one that was not wanted has to be cancelled again"


def ended(done: Iterable[Reinstatement], untouched: Iterable[Reinstatement], file: str) -> Iterator[str]:
    """What was done, in words, a line each."""
    some = list(done)
    counts = Counter(one.fate for one in some)
    told = [f"{wording.count(counts[fate])} {words}" for fate, words in WORDS.items() if counts[fate]]
    yield f"{', '.join(told) or 'nothing was created'}; {file} has old and new references"
    yield from _fates(one for one in (*some, *untouched) if one.fate not in {Fate.CREATED, Fate.ALREADY_CREATED})
    if any(one.fate is Fate.UNCONFIRMED for one in some):
        yield _UNCONFIRMED


def table(rows: Iterable[Reinstatement]) -> bytes:
    """Old and new references as CSV."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(("reference", "new_reference", "outcome", "message"))
    for one in rows:
        write.writerow((one.reference, one.new or "", one.fate, plain(one.why or "")))
    return text.getvalue().encode()


def view(one: Reinstatement) -> Mapping[str, Any]:
    """One consignment as JSON."""
    return {"reference": one.reference, "new_reference": one.new, "outcome": one.fate, "message": one.why}


def exit_status(rows: Iterable[Reinstatement]) -> int:
    """Returns 4 if it is open what becomes of one, else 3 if one cannot be created, else 0."""
    seen = {one.fate for one in rows}
    if seen & {Fate.UNCONFIRMED, Fate.PENDING, Fate.UNKNOWN}:
        return 4
    return 3 if seen & {Fate.REFUSED, Fate.INCOMPLETE, Fate.NO_RECORD} else 0


def _fates(fates: Iterable[Reinstatement]) -> Iterator[str]:
    by_fate: dict[Fate, list[Reinstatement]] = {}
    for one in fates:
        by_fate.setdefault(one.fate, []).append(one)
    for fate, words in WORDS.items():
        some = by_fate.get(fate, ())
        if some:
            shown = "; ".join(_shown(one) for one in some[:_EXAMPLES])
            more = f" and {wording.count(len(some) - _EXAMPLES)} more" if len(some) > _EXAMPLES else ""
            yield f"  {wording.count(len(some))} {words}: {shown}{more}"


def _shown(one: Reinstatement) -> str:
    if one.new:
        return f"{one.reference} is now {one.new}"
    return f"{one.reference} ({one.why})" if one.why else one.reference


def _consignments(number: int) -> str:
    return "1 consignment" if number == 1 else f"{wording.count(number)} consignments"
