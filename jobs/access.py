"""Who may call the HTTP API, and what a caller may do. Only the digests of tokens are kept."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cancellist.jobs.escaping import cut, plain

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHOWN: Final = 40


class Access(StrEnum):
    """What a caller of the HTTP API may do."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    APPROVE = "approve"


ALL: Final = frozenset(Access)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the settings have it.

    Attributes:
        name: who calls with it.
        roles: what they may do.
        digest: SHA-256 of the token, hexadecimal.
    """

    name: str
    roles: frozenset[Access]
    digest: str

    @property
    def setting(self) -> str:
        """How it is written in the settings."""
        return f"{self.name}:{'+'.join(role for role in Access if role in self.roles)}:{self.digest}"


def parse_token(text: str) -> Token:
    """Reads NAME:ROLE+ROLE:SHA256.

    Raises:
        ValueError: it is none; the text says what is wanted, and repeats nothing that may be secret.
    """
    parts = text.split(":")
    digest = parts[-1].strip().lower()
    if len(parts) != 3 or not _DIGEST.fullmatch(digest):  # noqa: PLR2004 - name, roles, digest
        raise ValueError("must be NAME:ROLE+ROLE:SHA256 each, as `cancellist token` prints it")
    return Token(parse_name(parts[0]), parse_roles(parts[1].split("+")), digest)


def parse_name(text: str) -> str:
    """The name of a caller.

    Raises:
        ValueError: it is none.
    """
    name = text.strip()
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{_quoted(name)} is no name: it has 1 to 64 letters, digits and _.@-, a letter or digit first"
        )
    return name


def parse_roles(words: Iterable[str]) -> frozenset[Access]:
    """Roles by their names.

    Raises:
        ValueError: one is none, or there is none at all.
    """
    found = set()
    for word in words:
        try:
            found.add(Access(word.strip().lower()))
        except ValueError:
            raise ValueError(f"{_quoted(word)} is no role; there are {', '.join(Access)}") from None
    return frozenset(found)


def token_of(tokens: Iterable[Token], text: str) -> Token | None:
    """The token that a text is; None where it is none of them.

    It is compared with every token there is, each in the same time, so that time tells nothing of them.
    """
    digest, found = digest_of(text), None
    for one in tokens:
        if hmac.compare_digest(one.digest, digest):
            found = one
    return found


def digest_of(token: str) -> str:
    """What the settings keep of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _quoted(text: str) -> str:
    return f"'{plain(cut(text, _SHOWN))}'"
