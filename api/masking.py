"""Takes tokens out of what a client is told of its mistake, and of traces: one in the wrong place is not repeated."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from cancellist.jobs.access import Token, token_of

_WORD: Final = re.compile(rb"[A-Za-z0-9._~+/=-]+")
"""What may be a token (RFC 6750, 2.1)."""
_PIECE: Final = re.compile(rb"[^/=]+")
"""What is one in a word such as `token=TOKEN` or `/v1/jobs/TOKEN`."""
_HIDDEN: Final = b"***"


def without(tokens: Sequence[Token], caller: str | None) -> Callable[[bytes], bytes]:
    """What takes the tokens of a caller out of a text.

    Only those: what is hidden shows that it is a token, which nobody may learn of another's.
    """
    if caller is None:
        return lambda text: text
    return _hiding(lambda word: is_own(tokens, caller, word))


def without_any(tokens: Sequence[Token]) -> Callable[[bytes], bytes]:
    """What takes all tokens out of a text that is for the log alone."""
    return _hiding(lambda word: token_of(tokens, word) is not None)


def is_own(tokens: Sequence[Token], caller: str | None, text: str) -> bool:
    """Whether a text is a token of this caller."""
    found = token_of(tokens, text)
    return found is not None and found.name == caller


def _hiding(is_one: Callable[[str], bool]) -> Callable[[bytes], bytes]:
    def hidden(found: re.Match[bytes]) -> bytes:
        word = found[0].decode()
        bare = word.rstrip(".")
        if is_one(word):
            return _HIDDEN
        return _HIDDEN + found[0][len(bare) :] if is_one(bare) else found[0]

    def without_pieces(found: re.Match[bytes]) -> bytes:
        left = hidden(found)
        return _PIECE.sub(hidden, left) if left == found[0] else left

    return lambda text: _WORD.sub(without_pieces, text)
