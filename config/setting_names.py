"""Names of settings: finds unknown ones and suggests what was meant."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from cancellist.jobs.escaping import shown

PREFIX = "CANCELLIST_"
ACCOUNTS = "ACCOUNTS__"
_OTHER = frozenset({"CONFIG", "DEBUG", "SANDBOX_KEY"})
"""Names in the environment that are not settings: the TOML file, the debug switch and the sandbox's key."""
REMOVED = frozenset(
    [
        "CHANCE_EVIDENCE",
        "CHANCE_LEAST",
        "CHANCE_MARGIN",
        "CHANCE_MEMORY",
        "CHANCE_MORE",
        "CHANCE_PROOF",
        "CHANCE_WINDOW",
        "CHANCE_WINDOWS",
        "LIMIT_CERTAIN",
        "LIMIT_CHANCE",
        "LIMIT_DEBT",
        "LIMIT_DECREASE",
        "LIMIT_GROWTH",
        "LIMIT_PROBE_AFTER",
        "LIMIT_ROUNDS",
        "LIMIT_TOLERATED",
        "LIMIT_USED",
        "RATE_CERTAIN",
        "RATE_CHANCE",
        "RATE_DECREASE",
        "RATE_MARGIN",
        "RATE_MEMORY_MS",
        "RATE_PROBE_AFTER",
        "RATE_PROBE_MS",
        "RATE_RECURRING_MS",
        "RATE_REST_MS",
        "RATE_SEARCH_AFTER",
        "RATE_SEARCH_MS",
        "RATE_SLOWEST_MS",
        "RATE_SLOW_MS",
        "RATE_SLOW_PROBE_AFTER",
        "RATE_SLOW_PROBE_MS",
        "RATE_SPREAD",
        "RATE_SPREAD_MS",
        "RATE_STEEPEST",
        "RATE_STEP",
        "RATE_TOLD_MS",
        "RATE_TOLERATED",
        "RATE_UNBOUND_MS",
        "ROUND_DEVIATIONS",
        "ROUND_GROWTH",
        "ROUND_GROWTH_MS",
        "ROUND_WINDOWS",
        "SIZE_EVIDENCE",
        "SIZE_GAIN",
        "SIZE_MEMORY",
        "SIZE_NEAR",
        "SIZE_RAREST",
        "SIZE_SLOW_MS",
        "TRIAL_AFTER_MS",
        "TRIAL_MOST_MS",
        "TRIAL_PROVOKED",
        "TRIAL_ROUNDS",
        "TRIAL_UNPROVOKED",
    ]
)
"""Settings of earlier versions. They are constants of flow control in `jobs/flow/` now."""
_REMOVED = "is no longer a setting and is ignored: it is a constant of flow control"
_SERVICE = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|START|END))?)", re.ASCII
)
_PORT = re.compile(r"(\w+_)?PORT", re.ASCII)
_LINK = re.compile(r"(\w+_)?NAME", re.ASCII)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_of_a_service(name: str, value: str) -> bool:
    """Returns whether an orchestrator has set a variable for a service whose name begins with `cancellist`.

    Kubernetes sets such variables in every container: `CANCELLIST_SERVICE_HOST`,
    `CANCELLIST_PORT=tcp://10.0.0.1:8088`, `CANCELLIST_REDIS_PORT_6379_TCP_ADDR`. Docker did the same for links.
    """
    bare = name.upper().removeprefix(PREFIX)
    return (
        _SERVICE.fullmatch(bare) is not None
        or (_PORT.fullmatch(bare) is not None and _ADDRESS.match(value) is not None)
        or (_LINK.fullmatch(bare) is not None and value.startswith("/"))
    )


def odd(given: Mapping[str, str], fields: Iterable[str]) -> list[str]:
    """Returns a warning for each name that begins with `CANCELLIST_` but is not a setting, sorted by name.

    Settings of accounts are checked elsewhere. A setting of an earlier version is reported as removed, not as misspelt.
    """
    known = [field.upper() for field in fields]
    ours = {
        name for name, value in given.items() if name.upper().startswith(PREFIX) and not is_of_a_service(name, value)
    }
    return [
        f"{shown(name)} {_REMOVED}"
        if bare in REMOVED
        else f"{shown(name)} is not a setting and is ignored{suggestion(bare, known, PREFIX)}"
        for name in sorted(ours)
        if (bare := name.upper().removeprefix(PREFIX)) not in {*known, *_OTHER} and not bare.startswith(ACCOUNTS)
    ]


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns the end of a message about an unknown name: that it was removed, or the most similar name, if any."""
    if name.upper() in REMOVED:
        return " any more: it is a constant of flow control, remove it"
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
