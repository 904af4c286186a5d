"""A rate that is learnt: its state, and the constants by which it is.

interval in force = max(interval learnt, pause while nothing is accepted)
"""

from dataclasses import dataclass, field

CYCLE_MS = 1_000
CYCLE = 3
"""A cycle that is shorter, or of fewer calls, tells no rate."""


@dataclass(frozen=True, slots=True)
class PacingPolicy:
    """The constants of the learned rate.

    Attributes:
        margin: the share of the measured rate that is used (0.5 to 1.0).
        step: by how much a rate that went well is raised at the gentlest; a search begins at twice that (0.01 to 0.5).
        steepest: the largest raise of a search, which doubles them (0.1 to 4.0).
        decrease: by how much a rate that was refused is lowered, doubled by each further refusal in close
            succession (0.01 to 0.1).
        raise_after: accepted calls between raises (20 to 100000).
        raise_ms: the longest time between raises, except of a slow rate (1000 to 600000).
        slow_raise_after: accepted calls before a raise of a slow rate (5 to 10000).
        slow_raise_ms: the longest time before such a raise (1000 to 3600000).
        search_after: accepted calls before a raise in a search (3 to 1000).
        search_ms: the longest time before a raise in a search, or while a raise is on trial (100 to 60000).
        rest_ms: pause between a refusal and the next raise, which may cost a Retry-After (0 to 600000).
        slow_ms: a rate with a longer interval is slow (10 to 60000).
        slowest_ms: the longest interval while nothing is accepted (100 to 60000).
        unbound_ms: a rate that held no call back for so long is dropped (1000 to 600000).
        memory_ms: a slower rate than three calls in it cannot be measured (10000 to 3600000).
        recurring_ms: overloads this far apart have nothing to do with each other (1000 to 3600000).
        tolerated: the share of refusals that may be chance (0.001 to 0.05).
        spread_ms: calls that take so long are begun one after the other where a limit was met (200 to 600000).
        spread: so many times as often as they would end if they were spread evenly (1.01 to 100.0).
        log_odds_needed: the logarithm of how much likelier than chance a rate that is too high must be (1.0 to 20.0).
    """

    margin: float = 0.96
    step: float = 0.04
    steepest: float = 0.5
    decrease: float = 0.06
    raise_after: int = 100
    raise_ms: int = 30_000
    slow_raise_after: int = 60
    slow_raise_ms: int = 300_000
    search_after: int = 20
    search_ms: int = 3_000
    rest_ms: int = 30_000
    slow_ms: int = 200
    slowest_ms: int = 5_000
    unbound_ms: int = 10_000
    memory_ms: int = 120_000
    recurring_ms: int = 120_000
    tolerated: float = 0.01
    spread_ms: int = 1_000
    spread: float = 1.08
    log_odds_needed: float = 4.0

    @property
    def slowest_us(self) -> int:
        """A slower rate cannot be measured."""
        return 1000 * self.memory_ms // CYCLE


@dataclass(frozen=True, slots=True)
class Pacing:
    """The state of the learned rate.

    Attributes:
        interval_us: microseconds between calls; 0: as fast as the limit allows.
        pause_us: the interval while nothing is accepted; 0: something is.
        cycle_ms: since when accepted calls are counted.
        cycle: accepted since then.
        refused_ms: when a refusal of a rate was last seen.
        blocked_ms: since when the platform has refused; 0: it accepts.
        window_ms: the longest that it took until it accepted again.
        safe_us: the interval before the last raise; 0: none is on trial.
        credit: accepted since the last raise or refusal.
        need: accepted calls before the next raise.
        step: the next raise.
        refusal_streak: refusals in close succession.
        first_recovery_ms: when the platform first accepted again; a rate is learnt from then to the next time.
        unbound_since_ms: since when the rate holds nothing back; 0: it does.
        row: refusals in a row, as far as samples tell.
        accepted_ms: when a call was last accepted.
        learnt_ms: when the rate was last learnt.
        reserved_recoveries: earlier versions counted the recoveries of a cycle here; written as 0, never read.
        again_ms: when it refused again after a Retry-After, before it was known whether it had accepted; 0: it did not.
        reserved_told_ms: earlier versions kept here when a Retry-After was last seen; written as 0, never read.
        log_odds: how much likelier a rate that is too high is than chance to be behind the refusals of late, as a
            logarithm.
        reserved_refusals: earlier versions counted here what chance refused; written as 0, never read.
        reserved_calls: and here among how many calls; likewise.
        reserved_doubt: earlier versions tried a raise once more by it; written as 0, never read.
        spread_us: between slow calls that begin, where no rate is known; 0: they may begin at once.
    """

    interval_us: int = 0
    pause_us: int = 0
    cycle_ms: int = 0
    cycle: int = 0
    refused_ms: int = 0
    blocked_ms: int = 0
    window_ms: int = 0
    safe_us: int = 0
    credit: int = 0
    need: int = 0
    step: float = 0.0
    refusal_streak: int = 0
    first_recovery_ms: int = 0
    unbound_since_ms: int = 0
    row: int = 0
    accepted_ms: int = 0
    learnt_ms: int = 0
    reserved_recoveries: int = field(default=0, init=False)
    again_ms: int = 0
    reserved_told_ms: int = field(default=0, init=False)
    log_odds: float = 0.0
    reserved_refusals: float = field(default=0.0, init=False)
    reserved_calls: float = field(default=0.0, init=False)
    reserved_doubt: int = field(default=0, init=False)
    spread_us: int = 0

    @property
    def in_force_us(self) -> int:
        """The interval that the claim script should keep."""
        return max(self.interval_us, self.pause_us)
