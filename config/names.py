"""Names of settings: which there are, and what a misspelt one was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

from jobs.references import shown

PREFIX = "CANCELLIST_"
ACCOUNTS = "ACCOUNTS__"
_OTHER = frozenset({"CONFIG", "DEBUG", "SANDBOX_KEY"})
"""Names in the environment that are no settings: where the TOML file is, whether errors are told with their trace, and
the local platform's key."""


def odd(names: Iterable[str], fields: Iterable[str]) -> list[str]:
    """A line for each name in the environment that begins as ours do and is none; those of accounts are not judged."""
    known = [field.upper() for field in fields]
    ours = {name for name in names if name.upper().startswith(PREFIX)}
    return [
        f"{shown(name)} is no setting and is passed over{suggestion(bare, known, PREFIX)}"
        for name in sorted(ours)
        if (bare := name.upper().removeprefix(PREFIX)) not in {*known, *_OTHER} and not bare.startswith(ACCOUNTS)
    ]


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """What is added to a message about an unknown name: the nearest of those that are known, if any is near."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
