"""What the platform's words of refusal mean: by the user's own word, and, for people to look at, by what reads found.

The words are undocumented, and one text may stand for every refusal. So no result rests on words that were only seen:
however often reads have agreed, the next consignment may be in another state. A refusal is explained by reading the
state. A text decides only where the user has said what it means (`REFUSAL_WORDS`).
"""

import re
import zlib
from dataclasses import dataclass

from cancellist.jobs.responses.answer import LONGEST_MESSAGE
from cancellist.jobs.responses.status_read import Found, Reading, StateClass, Unknown, state_class

UNKNOWN = "unknown"
"""The class of state of a reference that the platform does not know."""
_TOLD_AT_FIRST, _THEN_EVERY, _MOST = 20, 64, 1000

_TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|(?<![A-Za-z0-9])\d[\d:.,+TZ-]*(?![A-Za-z0-9])", re.IGNORECASE
)
"""Numbers, times and request ids: what differs though the refusal is the same. A code such as E1001 is kept."""
_SPACE = re.compile(r"\s+")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """What reads have found behind some words, and how many in a row have agreed."""

    state_class: str
    agreed: int


@dataclass(frozen=True, slots=True)
class RefusalTexts:
    """What the user has said of the platform's words: patterns, and the class of state that each means."""

    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()

    def meaning(self, words: str | None) -> str | None:
        """The class of state that these words mean; None where the user has not said so.

        What was cut is not known whole.
        """
        if not words or len(words) >= LONGEST_MESSAGE:
            return None
        meant = {meant for pattern, meant in self.patterns if pattern.search(words)}
        return meant.pop() if len(meant) == 1 else None


class Observed:
    """What reads of this process have found behind words, so that not each is told to the ledger."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def worth_telling(self, print_: str, meant: str) -> bool:
        """Whether another read that found this behind these words is to be told: at first each, later now and then."""
        if len(self._seen) >= _MOST:
            self._seen.clear()
        seen = self._seen[print_, meant] = self._seen.get((print_, meant), 0) + 1
        return seen <= _TOLD_AT_FIRST or seen % _THEN_EVERY == 0


def fingerprint(words: str, reference: str) -> str:
    """The words without the reference, numbers and case, so that the same refusal is recognised for another."""
    bare = re.sub(re.escape(reference), "#", words, flags=re.IGNORECASE)
    whole = _SPACE.sub(" ", _TOKEN.sub("#", bare)).strip().lower()
    if len(whole) <= _LONGEST:
        return whole
    return f"{whole[:_LONGEST]} ... {zlib.crc32(whole.encode(errors='replace')):08x}"


def meant_by(reading: Reading) -> str | None:
    """What a reading teaches about the words that led to it; None where it teaches nothing."""
    match reading:
        case Found(state=state):
            stands = state_class(state)
            return None if stands is StateClass.PASSING else stands.value
        case Unknown():
            return UNKNOWN
        case _:
            return None
