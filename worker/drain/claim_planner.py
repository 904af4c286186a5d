"""Plans a drain's claims: claims with a slot while slots may be free, else one staged claim for each lane."""

from cancellist.jobs.ledger.claims import Ask, Claim, Mode, Terms, Wait

_UNBOUNDED = 2**31
_AT_ONCE = 4


class ClaimPlanner:
    """Learns from the ledger's answers, and decides what to ask for next.

    Attributes:
        most: the most lanes; lanes beyond give their slots back when their calls end.
        overtakings: how often a wake said that new work goes before all staged claims.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._limit = terms.limit
        self._short = False
        self.most = _UNBOUNDED
        self.overtakings = 0
        self._caught_up = 0

    @property
    def overtaken(self) -> bool:
        """Whether the ledger may have work that goes before all staged claims."""
        return self._caught_up < self.overtakings

    def learn(self, ask: Ask, answer: Claim | Wait, overtakings: int) -> None:
        """Learns from the answer to a request; `overtakings` is their number when the request was made."""
        self._limit = min(self._terms.limit, answer.limit)
        self.most = ask.slots - answer.give if answer.give else _UNBOUNDED
        self._short = isinstance(answer, Wait) and answer.why == "limit"
        match answer:
            case Claim():
                caught_up = not answer.urgent  # more urgent work may follow an urgent claim
            case Wait():
                caught_up = ask.mode != "slot" and answer.why != "limit" and answer.wait_ms <= 0  # else it lingers
        if caught_up:
            self._caught_up = max(self._caught_up, overtakings)

    def wanted(self, lanes: int, staged: int, asking: int, *, settling: bool) -> Mode | None:
        """The mode of the next request, None for none; `asking` is the number of open requests."""
        if lanes == 0:
            return "slot" if asking or settling or staged else "leave"
        if staged + asking < lanes and self._terms.interval_us == 0:
            return "any"
        return "slot" if lanes < min(self._limit, self.most) else None

    def wanted_with_a_settle(self, lanes: int, staged: int) -> Mode | None:
        """The mode of the request that goes along with a settlement, None for none."""
        if self._terms.interval_us or lanes == 0:
            return "slot"
        if self.most == 0:  # the limit was lowered, and only the ledger knows when a slot is free again
            return "slot"
        if lanes >= self.most:
            return "staged" if staged < lanes else None
        return "any" if staged <= lanes else "slot"

    def requests(self, mode: Mode, lanes: int, staged: int) -> int:
        """The number of claims to ask for at once."""
        missing = lanes - staged if mode == "any" else min(self._limit, self.most) - lanes
        return 1 if self._short else max(1, min(_AT_ONCE, missing))
