"""Takes tokens out of what a client is told of its mistake: one that it has put in the wrong place is not repeated."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from cancellist.jobs.access import Token, token_of

_WORD: Final = re.compile(rb"[A-Za-z0-9._~+/=-]+")
"""What may be a token (RFC 6750, 2.1)."""
_HIDDEN: Final = b"***"


def without(tokens: Sequence[Token], caller: str | None) -> Callable[[bytes], bytes]:
    """What takes the tokens of a caller out of a text.

    Only those: what is hidden shows that it is a token, which nobody may learn of another's.
    """

    def hidden(found: re.Match[bytes]) -> bytes:
        word = found[0].decode()
        return _HIDDEN if is_of(word) or is_of(word.rstrip(".")) else found[0]

    def is_of(word: str) -> bool:
        return is_own(tokens, caller, word)

    return lambda text: _WORD.sub(hidden, text) if caller is not None else text


def is_own(tokens: Sequence[Token], caller: str | None, text: str) -> bool:
    """Whether a text is a token of this caller."""
    found = token_of(tokens, text)
    return found is not None and found.name == caller
