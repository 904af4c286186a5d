"""The meaning of the platform's refusal texts, as the user has set it and as reads have found it.

The texts are undocumented, and the platform may use one text for every refusal. However often reads have agreed on a
text, the next consignment may be in another state. So a refusal is explained by reading the state, and what reads found
is shown to people only. A text decides only where the user has set its meaning (`REFUSAL_WORDS`).
"""

import re
import zlib
from dataclasses import dataclass

from cancellist.jobs.responses.answer import LONGEST_MESSAGE
from cancellist.jobs.responses.status_read import Found, Reading, StateClass, Unknown, state_class

UNKNOWN = "unknown"
"""Stands for the state of a reference that the platform does not know."""
_TOLD_AT_FIRST, _THEN_EVERY, _MOST = 20, 64, 1000

_TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|(?<![A-Za-z0-9])\d[\d:.,+TZ-]*(?![A-Za-z0-9])", re.IGNORECASE
)
"""Numbers, times and request ids: they differ although the refusal is the same. A code such as E1001 is kept."""
_SPACE = re.compile(r"\s+")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class of state that reads found behind a text, and how many reads in a row agreed."""

    state_class: str
    agreed: int


@dataclass(frozen=True, slots=True)
class RefusalTexts:
    """The user's patterns of refusal texts, and the class of state that each means."""

    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()

    def meaning(self, words: str | None) -> str | None:
        """The class of state that a text means; None where no pattern matches, or several disagree.

        A text that was cut matches nothing, since its end is not known.
        """
        if not words or len(words) >= LONGEST_MESSAGE:
            return None
        meant = {meant for pattern, meant in self.patterns if pattern.search(words)}
        return meant.pop() if len(meant) == 1 else None


class Observed:
    """Counts what reads of this process found behind texts, so that not every read is written to the ledger."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def worth_telling(self, print_: str, meant: str) -> bool:
        """Whether this read is to be written: the first 20 of a text and meaning are, then every 64th."""
        if len(self._seen) >= _MOST:
            self._seen.clear()
        seen = self._seen[print_, meant] = self._seen.get((print_, meant), 0) + 1
        return seen <= _TOLD_AT_FIRST or seen % _THEN_EVERY == 0


def fingerprint(words: str, reference: str) -> str:
    """A text without the reference, numbers and case: the same for every reference that is refused for one cause."""
    if words.isascii() and reference.lower() not in words.lower():
        bare = words
    else:
        bare = re.sub(re.escape(reference), "#", words, flags=re.IGNORECASE)
    whole = _SPACE.sub(" ", _TOKEN.sub("#", bare)).strip().lower()
    if len(whole) <= _LONGEST:
        return whole
    return f"{whole[:_LONGEST]} ... {zlib.crc32(whole.encode(errors='replace')):08x}"


def meant_by(reading: Reading) -> str | None:
    """The class of state that a reading shows behind the refusal before it; None where it shows none."""
    match reading:
        case Found(state=state):
            stands = state_class(state)
            return None if stands is StateClass.PASSING else stands.value
        case Unknown():
            return UNKNOWN
        case _:
            return None
