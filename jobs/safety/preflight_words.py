"""What a pre-flight warns of, in plain words."""

from datetime import UTC, datetime
from typing import Final

from cancellist.jobs.safety.consignment_record import Standing
from cancellist.jobs.safety.preflight import Facts, Overlap, deadline_met, share_of_open
from cancellist.jobs.safety.sampling import CONFIDENCE, Portion

_MUCH_OF_OPEN: Final = 0.1
"""A share of all open consignments that is told as a warning."""
_TOLD: Final = 3
"""Jobs that are named."""
_MEANINGS: Final = {
    Standing.MANIFESTED: "manifested already: the platform will most likely refuse them",
    Standing.NOT_FOUND: "not known to the platform: is it the right file, and the right account?",
    Standing.ALREADY_CANCELLED: "cancelled already",
    Standing.UNKNOWN: "in a state that is not known",
}


def warnings(facts: Facts) -> list[str]:
    """All that should be read before the job is handed in; empty where there is nothing."""
    found = [_standing(facts, standing) for standing in _MEANINGS if facts.standings[standing]]
    if facts.near:
        found.append(f"{amount(facts.portion(facts.near))} near manifesting: they may be too late by then")
    found += _of_overlap(facts.overlap)
    share = share_of_open(facts)
    if share is not None and share >= _MUCH_OF_OPEN:
        found.append(f"this cancels {percent(share)} of all open consignments of account {facts.account}")
    if deadline_met(facts) is False:
        found.append("the deadline will most likely pass first: what is not sent by then is `expired`")
    return found + _of_input(facts)


def amount(portion: Portion) -> str:
    """Such as `40 % (8 of 20) are`; of a sample with the interval of all."""
    are = "is" if portion.count == 1 and portion.exact else "are"
    if portion.exact:
        return f"{percent(portion.share)} ({portion.found:,} of {portion.total:,}) {are}"
    low, high = portion.interval
    least, most = portion.counts
    return (
        f"about {percent(portion.share)} ({percent(low)} to {percent(high)}, so {least:,} to {most:,} of "
        f"{portion.total:,}) {are}"
    )


def percent(share: float) -> str:
    """A share as a percentage: never 0 % of something, nor 100 % of less than all."""
    value = 100 * share
    if 0 < value < 1:
        return "less than 1 %"
    if 99 < value < 100:  # noqa: PLR2004 - as the line before
        return "more than 99 %"
    return f"{value:.0f} %"


def sample_note(read: int, total: int) -> str:
    """How the states were read."""
    if read == total:
        return f"the states of all {total:,} were read"
    return (
        f"the states of {read:,} of {total:,} were read, drawn at random: shares are told with the interval that "
        f"holds with a confidence of {CONFIDENCE} %"
    )


def _standing(facts: Facts, standing: Standing) -> str:
    told = f"{amount(facts.portion(facts.standings[standing]))} {_MEANINGS[standing]}"
    if standing is Standing.UNKNOWN and (why := next((one.why for one in facts.seen if one.why), None)):
        return f"{told} ({why})"
    return told


def _of_overlap(overlap: Overlap) -> list[str]:
    found = []
    for one in overlap.jobs[:_TOLD]:
        portion = Portion(one.references, overlap.compared, overlap.compared)
        made = f" of {_day(one.created_at_ms)}" if one.created_at_ms is not None else ""
        state = f", which is {one.state}" if one.state else ""
        found.append(f"{amount(portion)} in job {one.job}{made}{state}")
    if len(overlap.jobs) > _TOLD:
        found.append(f"other jobs of the last days name some of them, too: {len(overlap.jobs) - _TOLD:,}")
    if overlap.gap:
        found.append(f"jobs that name some of them may be missing here: {overlap.gap}")
    return found


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _of_input(facts: Facts) -> list[str]:
    intake = facts.intake
    found = []
    if intake.invalid:
        lines = "1 malformed line" if intake.invalid == 1 else f"{intake.invalid:,} malformed lines"
        found.append(f"the input has {lines}, never sent")
    if intake.duplicates:
        times = "reference is" if intake.duplicates == 1 else "references are"
        found.append(f"{intake.duplicates:,} {times} named again, and counted once")
    return found
