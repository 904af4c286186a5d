"""Takes tokens out of what a client is told of its mistake: one that it has put in the wrong place is not repeated."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from cancellist.jobs.access import Token, token_of

_WORD: Final = re.compile(rb"[A-Za-z0-9._~+/=-]+")
"""What may be a token (RFC 6750, 2.1)."""
_HIDDEN: Final = b"***"


def without(tokens: Sequence[Token]) -> Callable[[bytes], bytes]:
    """What takes these tokens out of a text."""

    def hidden(found: re.Match[bytes]) -> bytes:
        word = found[0].decode()
        return _HIDDEN if token_of(tokens, word) or token_of(tokens, word.rstrip(".")) else found[0]

    return lambda text: _WORD.sub(hidden, text)
