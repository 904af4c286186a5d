"""What the platform's words of refusal mean, learnt from states that were read back.

The words are undocumented, so a refusal is explained by reading the state. A million refusals must not cost a million
reads: words whose reads have always agreed are trusted, still checked by a sample, and forgotten at the first
disagreement.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.readings import Found, Reading, Standing, Unknown, standing

TRUSTED_AFTER = 20
"""Reads that must have agreed."""
SAMPLED = 1 / 64
"""Share of trusted refusals that are read all the same."""
UNKNOWN = "unknown"
"""The standing of a reference that the platform does not know."""

_NUMBER = re.compile(r"\d+")
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
        if not words:
            return None
        print_ = fingerprint(words, reference)
        learnt = self.learnt.get(print_)
        if learnt is not None:
            return learnt.standing if learnt.trusted else None
        for pattern, meant in self.patterns:
            if pattern.search(words):
                return meant
        return None

    def agreeing(self, print_: str, meant: str) -> "Lexicon":
        """The lexicon after one more read: agreement counts, disagreement forgets."""
        known = self.learnt.get(print_)
        agreed = known.agreed + 1 if known and known.standing == meant else 1
        return Lexicon({**self.learnt, print_: Meaning(meant, agreed)}, self.patterns)


def fingerprint(words: str, reference: str) -> str:
    """The words without the reference, numbers and case, so that the same refusal is recognised for another."""
    bare = re.sub(re.escape(reference), "#", words, flags=re.IGNORECASE)
    return _SPACE.sub(" ", _NUMBER.sub("#", bare)).strip().lower()[:_LONGEST]


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
