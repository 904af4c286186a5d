"""How the platform of an account is shown: a sandbox and a real host look different, in words and colour."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from cancellist.jobs.escaping import plain
from cancellist.jobs.safety.environment import Environment

_GREEN, _WHITE_ON_RED, _PLAIN = "\x1b[1;32m", "\x1b[1;97;41m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The account on which a command acts, and where its calls go.

    Attributes:
        account: its name.
        environments: the hosts that its workers call, or the host by the settings at hand where none has run yet.
        note: what else there is to know of them.
    """

    account: str
    environments: tuple[Environment, ...]
    note: str = ""


def names(environments: Sequence[Environment]) -> str:
    """Returns the names of environments in words."""
    return " and ".join(plain(one.words) for one in environments)


def style(environments: Sequence[Environment]) -> str:
    """Returns their colour: that of a real host where there is one."""
    return next((one.style for one in environments if not one.is_sandbox), "green" if environments else "")


def banner(place: Whereabouts) -> str:
    """Returns a line for a terminal that names the platform and the account before a question."""
    colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shown = [_coloured(one) if colours else plain(one.words) for one in place.environments]
    note = f" ({plain(place.note)})" if place.note else ""
    return f"{' and '.join(shown) or 'unknown host'}, account {plain(place.account)}{note}\n"


def _coloured(one: Environment) -> str:
    return f"{_GREEN if one.is_sandbox else _WHITE_ON_RED} {plain(one.words)} {_PLAIN}"
