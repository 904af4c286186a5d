"""Which faults a seed injects, and in what order: a shuffled list of all kinds is split among seeds."""

import random
from collections.abc import Iterator, Mapping, Sequence

from tests.acceptance.faults.harness import faults as troubles
from tests.acceptance.faults.harness.faults import Trouble, name_of

HANDS = 4
"""This many consecutive seeds together inject every kind."""
ALONE = 0.6
"""Share of faults that come alone."""
LONE_KILLS = 4
"""Kills of workers without any other fault, in each list: a takeover is timed only then."""
Step = tuple[Trouble, ...]
"""The faults that are injected at the same time."""

_GROUPS: Mapping[str, Sequence[Trouble]] = {
    "workers": (
        troubles.worker_killed, troubles.worker_stopped, troubles.workers_terminated, troubles.clock_off,
        troubles.paused,
    ),
    "server": (
        troubles.server_killed, troubles.server_away, troubles.server_loads, troubles.server_busy,
        troubles.server_full, troubles.server_demoted, troubles.scripts_flushed, troubles.password_changed,
        troubles.command_forbidden,
    ),
    "network": (
        troubles.connections_cut, troubles.errors_answered, troubles.all_cut, troubles.network_frozen,
        troubles.network_slow, troubles.connections_refused,
    ),
    "platform": (
        troubles.platform_down, troubles.platform_frozen, troubles.platform_resets, troubles.platform_slow,
    ),
}  # fmt: skip
"""The faults by group. Only one of a group is active at a time. None may lose what the server has acknowledged."""
_GROUP_OF = {trouble: group for group, them in _GROUPS.items() for trouble in them}
EVERY_KIND = frozenset(map(name_of, _GROUP_OF))


def hand(seed: int) -> list[Step]:
    """Returns what a seed always injects: its share of the list, and one kill of a worker without other faults."""
    return _dealt(list(_GROUP_OF)[seed % HANDS :: HANDS], 1, random.Random(f"{seed}-hand"))


def decks(seed: int) -> Iterator[Step]:
    """Yields further faults for as long as there is time: the whole list again and again."""
    rng = random.Random(f"{seed}-decks")
    while True:
        yield from _dealt(list(_GROUP_OF), LONE_KILLS, rng)


def _dealt(kinds: list[Trouble], lone_kills: int, rng: random.Random) -> list[Step]:
    """Shuffles the faults and joins some of them to the next one of another group."""
    rng.shuffle(kinds)
    steps: list[Step] = [(troubles.worker_killed,)] * lone_kills
    while kinds:
        first = kinds.pop()
        others = [kind for kind in kinds if _GROUP_OF[kind] != _GROUP_OF[first]]
        if others and rng.random() >= ALONE:
            kinds.remove(others[-1])
            steps.append((first, others[-1]))
        else:
            steps.append((first,))
    rng.shuffle(steps)
    return steps
