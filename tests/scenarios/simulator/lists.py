"""The search for the longest list after a 413, as the ledger does it (lua/shared/batch_limit.lua).

`tests/contract/test_lists.py` holds the two to be the same.
"""

from dataclasses import dataclass

NEAR, MOST_FAILED = 20, 3


@dataclass(slots=True)
class Lists:
    """What is known of the lengths that the platform takes; `size` None: there was no 413."""

    look_every: int = 200
    size: int | None = None
    refused: int | None = None
    taken: int | None = None
    before: int | None = None
    beyond: int | None = None
    since: int = 0
    failed: int = 0
    trial: object = None
    unclear: bool = False

    def most(self, per_call: int) -> int:
        """References that a call may name."""
        if self.size is not None and self.size >= per_call and self.refused is None:
            self._forget()
        return min(per_call, self.size or per_call)

    def longer(self, per_call: int) -> int | None:
        """The length that the next call should try."""
        size, refused = self.size, self.refused
        if size is None or self.trial is not None or self.taken != size or size >= per_call:
            return None
        if (self.unclear or not self._open) and self.since < self.look_every * 2**self.failed:
            return None
        longer = refused or 2 * size
        if refused and self._open:
            longer = (size + refused) // 2
        return min(longer, per_call)

    def take(self, n: int, claim: object) -> None:
        """A list was taken."""
        if self.size is None:
            return
        if claim == self.trial:
            self._end(unclear=n <= self.size)
            if self.size < n <= (self.refused or n):
                if self.refused == n:
                    self.refused, self.before, self.beyond, self.failed = None, self.size, n, self.failed // 2
                self.size = self.taken = n
        elif n == self.size:
            self.taken, self.since = n, self.since + 1

    def refuse(self, n: int, claim: object) -> bool:
        """A list was refused for its length; answers whether what is staged must be let go."""
        if self.trial is not None and claim == self.trial:
            if not self._open:
                self._fail()
                self.before = self.beyond = None
            self._end()
        self.refused = min(self.refused or n, n)
        if self.size is not None and n > self.size:
            return False
        if self.taken and self.taken >= n:
            self._fail()
            self.taken = None
        self.size = max(1, n // 2, self.taken or 0)
        if self.before and self.size <= self.before < n:
            self.size, self.refused = self.before, self.beyond
        self.before = self.beyond = None
        self._end()
        return True

    def lapse(self, claim: object, *, unsent: bool = False) -> None:
        """A call has ended without a word on its length."""
        if self.trial is None or claim != self.trial:
            return
        if unsent:
            self.trial = None
        else:
            self._fail()
            self._end(unclear=True)

    @property
    def _open(self) -> bool:
        return self.refused is None or self.refused - (self.size or 0) > max(1, (self.size or 0) // NEAR)

    def _fail(self) -> None:
        self.failed = min(self.failed + 1, MOST_FAILED)

    def _end(self, *, unclear: bool = False) -> None:
        self.trial, self.unclear, self.since = None, unclear, 0

    def _forget(self) -> None:
        self.size = self.refused = self.taken = self.before = self.beyond = self.trial = None
        self.since = self.failed = 0
        self.unclear = False
