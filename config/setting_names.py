"""Names of settings: which there are, and what a misspelt one was meant to be."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from cancellist.jobs.parsing.references import shown

PREFIX = "CANCELLIST_"
ACCOUNTS = "ACCOUNTS__"
_OTHER = frozenset({"CONFIG", "DEBUG", "SANDBOX_KEY"})
"""Names in the environment that are no settings: where the TOML file is, whether errors are told with their trace, and
the local platform's key."""
_SERVICE = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|START|END))?)", re.ASCII
)
_PORT = re.compile(r"(\w+_)?PORT", re.ASCII)
_LINK = re.compile(r"(\w+_)?NAME", re.ASCII)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_of_a_service(name: str, value: str) -> bool:
    """Whether an orchestrator has set a variable, for a service or link whose name begins as ours do.

    Kubernetes tells every container of the services beside it: `CANCELLIST_SERVICE_HOST`,
    `CANCELLIST_PORT=tcp://10.0.0.1:8088`, `CANCELLIST_REDIS_PORT_6379_TCP_ADDR`; so did Docker of links.
    """
    bare = name.upper().removeprefix(PREFIX)
    return (
        _SERVICE.fullmatch(bare) is not None
        or (_PORT.fullmatch(bare) is not None and _ADDRESS.match(value) is not None)
        or (_LINK.fullmatch(bare) is not None and value.startswith("/"))
    )


def odd(given: Mapping[str, str], fields: Iterable[str]) -> list[str]:
    """A line for each name in the environment that begins as ours do and is none; those of accounts are not judged."""
    known = [field.upper() for field in fields]
    ours = {
        name for name, value in given.items() if name.upper().startswith(PREFIX) and not is_of_a_service(name, value)
    }
    return [
        f"{shown(name)} is no setting and is passed over{suggestion(bare, known, PREFIX)}"
        for name in sorted(ours)
        if (bare := name.upper().removeprefix(PREFIX)) not in {*known, *_OTHER} and not bare.startswith(ACCOUNTS)
    ]


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """What is added to a message about an unknown name: the nearest of those that are known, if any is near."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
