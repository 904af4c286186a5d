"""Staged claims: they wait for a slot, in the ledger's order."""

import heapq
import itertools

from cancellist.jobs.ledger.claims import Claim


class Staging:
    """A heap of staged claims. A claim starts only while the gate has the version that it was claimed under."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Claim]] = []
        self._turn = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, claim: Claim) -> None:
        """Stages a claim."""
        heapq.heappush(self._heap, (claim.score, next(self._turn), claim))

    @property
    def urgent(self) -> bool:
        """Whether the next staged claim is urgent."""
        return bool(self._heap) and self._heap[0][2].urgent

    def pop(self, gate: int) -> Claim | None:
        """Removes and returns the next claim, if it may start under this version of the gate."""
        if self._heap and self._heap[0][2].gate == gate:
            return heapq.heappop(self._heap)[2]
        return None

    def drop_other_than(self, gate: int) -> list[Claim]:
        """Removes and returns the claims of another version."""
        stale = [claim for _, _, claim in self._heap if claim.gate != gate]
        self._heap = [entry for entry in self._heap if entry[2].gate == gate]
        heapq.heapify(self._heap)
        return stale

    def drop_all(self) -> list[Claim]:
        """Removes and returns all claims."""
        staged = [claim for _, _, claim in self._heap]
        self._heap.clear()
        return staged
