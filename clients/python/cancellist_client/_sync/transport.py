# Made by scripts/generate_sync.py from _async/transport.py: change that one, and run the script.

"""What a client can ask of a way in; each does what it can, and says of the rest which can."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NoReturn

from cancellist_client.errors import UnsupportedError
from cancellist_client.models import Handed, Result, ResultsPage
from cancellist_client.options import Options
from cancellist_client.sources import Source

HTTP = 'HTTP can: Client("https://...", token=...)'
REDIS = 'Redis can: Client("redis://...")'


class Transport:
    """A way in."""

    shown: str = ""
    """Its address without secrets."""
    has_events: bool = False
    """Whether a job can be followed as it goes on."""

    def cannot(self, what: str, who_can: str) -> NoReturn:
        """Says what cannot be done this way."""
        raise UnsupportedError(f"{what} cannot be done over {self.shown}; {who_can}")

    def submit(self, source: Source, options: Options) -> Handed:
        """Hands in a job, whole or not at all."""
        self.cannot("handing in a job", HTTP)

    def answered(self, entry: str, timeout: float) -> str | None:  # noqa: ASYNC109 - its twin has no other way
        """The id of the job that an entry has become; None where no worker has said so within so many seconds."""
        self.cannot("learning the id of an entry's job", HTTP)

    def job(self, job: str, *, within: float | None = None) -> Mapping[str, Any]:
        """A job's document; `within` asks once, and waits for the answer no longer than that."""
        self.cannot("looking at a job", HTTP)

    def jobs(self, filters: Mapping[str, str]) -> Mapping[str, Any]:
        """A page of jobs."""
        self.cannot("listing jobs", HTTP)

    def act(self, job: str, action: str) -> Mapping[str, Any]:
        """Pauses, resumes or aborts a job; answers its document."""
        self.cannot(f"to {action} a job", HTTP)

    def retry(self, job: str, outcomes: Sequence[str], options: Options) -> Mapping[str, Any]:
        """Hands in some of a job's references as a new one; answers its document."""
        self.cannot("to retry a job", HTTP)

    def update(self, job: str, changes: Mapping[str, str | None]) -> Mapping[str, Any]:
        """Changes what is given of a job; answers its document."""
        self.cannot("to change a job", HTTP)

    def results(self, job: str, outcomes: Sequence[str], cursor: str | None, limit: int) -> ResultsPage:
        """A page of a job's results."""
        self.cannot("reading the results of one job", f"{HTTP}; `consume` reads those of all jobs")

    def mentions(self, reference: str, cursor: str | None) -> Mapping[str, Any]:
        """A page of the jobs that named a reference."""
        self.cannot("finding a reference", HTTP)

    def events(self, job: str, quiet: float) -> Generator[Mapping[str, Any], None]:
        """A job's document each time that it changed, until it has ended or nothing came for so many seconds."""
        self.cannot("following a job", HTTP)
        yield {}

    def join(self, group: str, *, from_start: bool) -> None:
        """Makes a consumer group where there is none."""
        self.cannot("consuming results", REDIS)

    def read(self, group: str, consumer: str, *, count: int, block: float) -> list[Result]:
        """New results for this consumer, waited for so many seconds."""
        self.cannot("consuming results", REDIS)

    def pending(self, group: str, consumer: str, *, after: str, count: int) -> list[Result]:
        """Results that this consumer was given and has not acknowledged, beyond an entry's id."""
        self.cannot("consuming results", REDIS)

    def take_over(self, group: str, consumer: str, *, idle: float, count: int) -> list[Result]:
        """Takes over results that a consumer was given so many seconds ago and has not acknowledged."""
        self.cannot("consuming results", REDIS)

    def keep(self, group: str, consumer: str, entries: Sequence[str]) -> set[str]:
        """Says that this consumer is at work on them; answers those that are still its own."""
        self.cannot("consuming results", REDIS)

    def acknowledge(self, group: str, entries: Sequence[str]) -> None:
        """Says that they have been dealt with."""
        self.cannot("consuming results", REDIS)

    def leave(self, group: str, consumer: str) -> None:
        """Takes a consumer that holds nothing off its group."""
        self.cannot("consuming results", REDIS)

    def close(self) -> None:
        """Gives up its connections."""
