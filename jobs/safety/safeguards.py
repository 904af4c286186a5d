"""What an account asks of every job that is handed in for it, whichever way it comes."""

from dataclasses import dataclass, field, replace
from typing import Final

from cancellist.jobs.model import JobRequest
from cancellist.jobs.safety.failure_stop import FailureStop, stop_of, unpack_stop
from cancellist.jobs.safety.guard import Guard


@dataclass(frozen=True, slots=True)
class Safeguards:
    """The safeguards of one account.

    Attributes:
        stop: the failure stop of each of its jobs. A request can add limits, and take none away.
        hold_ms: for how long each of its jobs waits before it starts. A request can only lengthen it.
        canary: how many references of a job are cancelled and read back before the rest. A request can only ask for
            more.
        canary_above: jobs with more references than this have that canary.
        snapshot: whether the record of each reference is kept before its call. A request can only ask for it too.
        guard: what each of its jobs may be before a person has to look at it.
        platform: the platform's host. A job that follows a plan goes to the platform that was planned for.
    """

    stop: FailureStop = field(default_factory=FailureStop)
    hold_ms: int = 0
    canary: int = 0
    canary_above: int = 0
    snapshot: bool = False
    guard: Guard = field(default_factory=Guard)
    platform: str = ""

    def stop_of(self, order: JobRequest) -> FailureStop:
        """The failure stop of a job that is asked for.

        Raises:
            ValueError: one of its limits is none.
        """
        return stop_of(order.max_refused, order.max_unconfirmed).joined(self.stop)

    def of_retry(self, stop: str, canary: int, *, snapshot: bool = False) -> "Safeguards":
        """Those of a job that retries another, which had these: they hold again. `stop` is packed.

        The canary of every job of the account stays where it is larger.

        Raises:
            ValueError: it is no stop.
        """
        again = replace(self, stop=unpack_stop(stop).joined(self.stop), snapshot=snapshot or self.snapshot)
        least = 0 if self.canary_above else self.canary
        return replace(again, canary=max(canary, least), canary_above=0) if canary else again


NONE: Final = Safeguards()
"""Those of an account that has set none."""
