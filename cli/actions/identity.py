"""Who uses the command line: the token in CANCELLIST_TOKEN says it, among those of CANCELLIST_API_TOKENS."""

import getpass
import socket

from cancellist.config.settings import Settings
from cancellist.jobs.access import Access, Token, token_of
from cancellist.jobs.errors import ForbiddenError, SettingsError


def caller(settings: Settings) -> Token | None:
    """Who uses the command line; None where no token is given.

    Raises:
        SettingsError: the token is none of those that are known.
    """
    if settings.token is None:
        return None
    found = token_of(settings.tokens, settings.token.get_secret_value())
    if found is None:
        raise SettingsError(
            "CANCELLIST_TOKEN is none of the tokens in CANCELLIST_API_TOKENS",
            hint="give the token itself, and see that the line of `cancellist token` is in CANCELLIST_API_TOKENS here",
        )
    return found


def person(settings: Settings) -> str:
    """The name of who uses the command line, for the record: that of the token, else USER@MACHINE."""
    try:
        found = caller(settings)
    except SettingsError:  # a stop must not fail for it
        found = None
    if found is not None:
        return found.name
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        name = "unknown"
    return f"{name}@{socket.gethostname()}"


def approver(settings: Settings, wish: str) -> str:
    """The name of who uses the command line, who must have the role `approve`; `wish` says for what.

    Raises:
        ForbiddenError: it is nobody that is known, or one who may not.
        SettingsError: as `caller`.
    """
    found = caller(settings)
    if found is None:
        raise ForbiddenError(
            f"{wish} needs to know who you are", hint="set CANCELLIST_TOKEN to a token with the role approve"
        )
    if Access.APPROVE not in found.roles:
        raise ForbiddenError(f"{found.name} lacks the role approve, which {wish} needs")
    return found.name
