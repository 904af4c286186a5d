"""The closed set of steps: what comes next for a reference after a call or a read."""

from dataclasses import dataclass

from cancellist.jobs.model import Outcome


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The reference gets its result."""

    outcome: Outcome
    attempts: int
    status: int | None = None
    message: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class CallAgain:
    """The references go back into the queue for another call.

    References with the same `group` are called together and with no others; None lets them join any call.
    `cleared` says that a read showed that no call acted; `status` and `state` are what it found, `reads` the tries.
    `alone_after` is as for `verdicts.Untaken`: the ledger counts successes in between, and burns an attempt after that
    many failures, where `lone` says that the call named one reference only.
    """

    delay_s: float
    attempts: int
    named: int
    unclear_s: float = 0.0
    cleared: bool = False
    group: int | None = None
    status: int | None = None
    state: str | None = None
    reads: int = 0
    alone_after: int = 0
    lone: bool = False
    deallocated: bool = False


@dataclass(frozen=True, slots=True)
class ReadState:
    """The reference goes back into the queue for a read of its state.

    `alone_after` is that of the call or read before, as for `CallAgain`. `confirmed` says that the platform confirmed
    that it is cancelled.
    """

    delay_s: float
    attempts: int
    named: int
    reads: int = 0
    unclear_s: float = 0.0
    refusal_status: int | None = None
    refusal_words: str | None = None
    alone_after: int = 0
    deallocated: bool = False
    confirmed: bool = False


Step = WriteResult | CallAgain | ReadState

DEALLOCATED = "it was deallocated before, or may have been, and may be without its carrier"
"""The message of a result that is not a cancellation although the reference was deallocated (also in
lua/shared/jobs.lua)."""
