"""What a drain asks the ledger for: a slot while there may be free ones, else one staged claim for each lane."""

from cancellist.jobs.ledger.claims import Ask, Claim, Mode, Terms, Wait

_UNBOUNDED = 2**31
_AT_ONCE = 4


class ClaimPlanner:
    """What the ledger's answers have told of slots, and what there is to ask for with so many lanes and staged claims.

    Attributes:
        most: lanes after which those whose calls end give their slots back.
        overtakings: how often something was said to go before all that is staged.
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
        """Whether something may go before all that is staged."""
        return self._caught_up < self.overtakings

    def learn(self, ask: Ask, answer: Claim | Wait, overtakings: int) -> None:
        """Takes in the answer to a request that was made after so many `overtakings`."""
        self._limit = min(self._terms.limit, answer.limit)
        self.most = ask.slots - answer.give if answer.give else _UNBOUNDED
        self._short = isinstance(answer, Wait) and answer.why == "limit"
        match answer:
            case Claim():
                caught_up = not answer.urgent  # behind an urgent one there may be more of them
            case Wait():
                caught_up = ask.mode != "slot" and answer.why != "limit" and answer.wait_ms <= 0  # else it lingers
        if caught_up:
            self._caught_up = max(self._caught_up, overtakings)

    def wanted(self, lanes: int, staged: int, asking: int, *, settling: bool) -> Mode | None:
        """What to ask for now; `asking` is what has been asked for and not answered yet."""
        if lanes == 0:
            return "slot" if asking or settling or staged else "leave"
        if staged + asking < lanes and self._terms.interval_us == 0:
            return "any"
        return "slot" if lanes < min(self._limit, self.most) else None

    def wanted_with_a_settle(self, lanes: int, staged: int) -> Mode | None:
        """What to ask for in the round trip that settles a call."""
        if self._terms.interval_us or lanes == 0:
            return "slot"
        if self.most == 0:  # the limit was lowered: only the ledger knows when a slot is free again
            return "slot"
        if lanes >= self.most:
            return "staged" if staged < lanes else None
        return "any" if staged <= lanes else "slot"

    def requests(self, mode: Mode, lanes: int, staged: int) -> int:
        """How many claims to ask for at once."""
        missing = lanes - staged if mode == "any" else min(self._limit, self.most) - lanes
        return 1 if self._short else max(1, min(_AT_ONCE, missing))
