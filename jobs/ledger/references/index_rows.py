"""How a result stands in the file of references: as a row of numbers and bytes. Pure.

An outcome, a state or a message that many results share is kept once, and a row has its number.
"""

from collections.abc import Iterable
from typing import Any, Final

from cancellist.jobs.ledger.core import known
from cancellist.jobs.ledger.stream_place import Entry
from cancellist.jobs.model import Outcome, Result

MOST_WORDS: Final = 10_000
"""Texts that are kept once; further ones stand in their rows."""
_SEQUENCE_BITS: Final = 20
"""Bits of an entry's number within its millisecond."""
_WITH_REFERENCE: Final = b"~"
_AS_IT_STANDS: Final = b"="

Row = tuple[Any, ...]
"""Entry, reference, job, outcome, status, attempts, message, state."""


class Words:
    """Texts by their numbers."""

    def __init__(self, words: Iterable[bytes] = ()) -> None:
        self._words = list(words)
        self._numbers = {word: number for number, word in enumerate(self._words)}
        self._kept = len(self._words)

    def coded(self, word: bytes) -> int | bytes:
        """The number of a text; the text itself where there are too many."""
        number = self._numbers.get(word)
        if number is None:
            if len(self._words) >= MOST_WORDS:
                return word
            number = self._numbers[word] = len(self._words)
            self._words.append(word)
        return number

    def said(self, code: int | bytes) -> bytes:
        """The text again."""
        return self._words[code] if isinstance(code, int) else code

    def take_new(self) -> list[tuple[int, bytes]]:
        """Those that were added since this was last asked, with their numbers."""
        new = list(enumerate(self._words[self._kept :], self._kept))
        self._kept = len(self._words)
        return new


def row(entry: Entry, words: Words) -> Row:
    """The row of an entry of the stream. What something else wrote in place of a number is left out."""
    at, fields = entry
    reference, message, state = fields[b"reference"], fields.get(b"message"), fields.get(b"state")
    return (
        number_of(at.decode()),
        reference,
        fields.get(b"job", b""),
        words.coded(fields.get(b"outcome", b"")),
        _int(fields.get(b"status")),
        _int(fields.get(b"attempts")) or 0,
        None if message is None else words.coded(_without(message, reference)),
        None if state is None else words.coded(state),
    )


def result(row: Row, words: Words) -> Result:
    """The result that a row holds."""
    entry, reference, job, outcome, status, attempts, message, state = row
    return Result(
        job=_text(job),
        reference=_text(reference),
        outcome=known(Outcome, _text(words.said(outcome))),
        status=status,
        attempts=attempts,
        message=None if message is None else _text(_with(words.said(message), reference)),
        state=None if state is None else _text(words.said(state)),
        at_ms=at_ms_of(entry),
    )


def number_of(entry: str) -> int:
    """An entry's id as one number, in the same order."""
    at_ms, _, number = entry.partition("-")
    return int(at_ms) << _SEQUENCE_BITS | int(number)


def at_ms_of(number: int) -> int:
    """When the entry of such a number was written."""
    return number >> _SEQUENCE_BITS


def _without(message: bytes, reference: bytes) -> bytes:
    """A message as it is kept: that it names the reference must not make it another text in each row."""
    if b"\0" in message or not reference:
        return _AS_IT_STANDS + message
    return _WITH_REFERENCE + message.replace(reference, b"\0")


def _with(kept: bytes, reference: bytes) -> bytes:
    text = kept[1:]
    return text.replace(b"\0", reference) if kept[:1] == _WITH_REFERENCE else text


def _int(text: bytes | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
