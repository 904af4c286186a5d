"""What the platform's words of refusal mean, learnt from states that were read back.

The words are undocumented, so a refusal is explained by reading the state. A million refusals must not cost a million
reads: words whose reads have always agreed are trusted, still checked by a sample, and never trusted again
after the first disagreement.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.outcomes import LONGEST_MESSAGE
from jobs.readings import Found, Reading, Standing, Unknown, standing

TRUSTED_AFTER = 20
"""Reads that must have agreed."""
SAMPLE_EVERY = 64
"""One in so many trusted refusals is read all the same."""
MIXED = "mixed"
"""The standing of words that have meant one thing and another: they are never trusted again."""
UNKNOWN = "unknown"
"""The standing of a reference that the platform does not know."""

_TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|(?<![A-Za-z0-9])\d[\d:.,+TZ-]*(?![A-Za-z0-9])", re.IGNORECASE
)
"""Numbers, times and request ids: what differs though the refusal is the same. A code such as E1001 is kept."""
_SPACE = re.compile(r"\s+")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """What some words have meant, and how many reads in a row have agreed."""

    standing: str
    agreed: int

    @property
    def trusted(self) -> bool:
        """Whether they may stand for a read."""
        return self.agreed >= TRUSTED_AFTER


@dataclass(frozen=True)
class Lexicon:
    """The meanings of an account's words: learnt ones by fingerprint, and configured patterns that are trusted."""

    learnt: Mapping[str, Meaning] = field(default_factory=dict)
    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()

    def meaning(self, words: str | None, reference: str) -> str | None:
        """The standing that these words are trusted to mean; None where they must be explained by a read."""
        if not words or len(words) >= LONGEST_MESSAGE:
            return None
        print_ = fingerprint(words, reference)
        learnt = self.learnt.get(print_)
        if learnt is not None and learnt.trusted:
            return learnt.standing
        for pattern, meant in self.patterns:
            if pattern.search(words) and (learnt is None or learnt.standing == meant):
                return meant
        return None

    def agreeing(self, print_: str, meant: str) -> "Lexicon":
        """The lexicon after one more read: agreement counts; the first disagreement ends all trust in the words."""
        known = self.learnt.get(print_)
        now = Meaning(meant, 1)
        if known:
            now = Meaning(meant, known.agreed + 1) if known.standing == meant else Meaning(MIXED, 0)
        return Lexicon({**self.learnt, print_: now}, self.patterns)

    def keeping_doubts(self, before: "Lexicon") -> "Lexicon":
        """This lexicon, read from the ledger, with the disagreements that it may not have heard of yet."""
        doubts = {print_: meaning for print_, meaning in before.learnt.items() if meaning.standing == MIXED}
        return Lexicon({**self.learnt, **doubts}, self.patterns)


def sampled(reference: str, named: int) -> bool:
    """Whether a trusted refusal is read all the same: the same answer wherever it is asked for this refusal."""
    return zlib.crc32(f"{reference}{named}".encode()) % SAMPLE_EVERY == 0


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
            stands = standing(state)
            return None if stands is Standing.PASSING else stands.value
        case Unknown():
            return UNKNOWN
        case _:
            return None
