"""Which troubles a seed plays, and in what order: a shuffled deck that is dealt, so that no kind is left out."""

import random
from collections.abc import Iterator, Mapping, Sequence

from tests.acceptance.faults.harness import faults as troubles
from tests.acceptance.faults.harness.faults import Trouble, name_of

HANDS = 4
"""So many seeds in a row play every kind between them."""
ALONE = 0.6
"""How often a trouble comes alone."""
LONE_KILLS = 4
"""Of workers, in each deck: a takeover is timed only where nothing else is wrong."""
Step = tuple[Trouble, ...]
"""What is brought about at once."""

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
"""Of each group one at a time. Nothing may be lost, where the server keeps what it has acknowledged."""
_GROUP_OF = {trouble: group for group, them in _GROUPS.items() for trouble in them}
EVERY_KIND = frozenset(map(name_of, _GROUP_OF))


def hand(seed: int) -> list[Step]:
    """What a seed plays in any case: its share of the deck, and a worker killed while nothing else is wrong."""
    return _dealt(list(_GROUP_OF)[seed % HANDS :: HANDS], 1, random.Random(f"{seed}-hand"))


def decks(seed: int) -> Iterator[Step]:
    """What it plays for as long as there is time: one whole deck after another."""
    rng = random.Random(f"{seed}-decks")
    while True:
        yield from _dealt(list(_GROUP_OF), LONE_KILLS, rng)


def _dealt(kinds: list[Trouble], lone_kills: int, rng: random.Random) -> list[Step]:
    """Shuffles; joins some to the next one of another group."""
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
