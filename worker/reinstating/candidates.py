"""Reads from snapshots what could be created: first what there is, then the records of what is wanted, one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cancellist.jobs.errors import InputError
from cancellist.jobs.safety.reinstatement import addressee, creation_of, rank, search_filters, was_cancelled
from cancellist.jobs.safety.snapshot import Entry, job_of
from cancellist.worker.snapshots.cipher import Cipher
from cancellist.worker.snapshots.reading import FileRead, entries_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """The best record of one consignment, and what is needed of it to decide.

    Attributes:
        file: the file that it is in.
        place: which of its entries it is, from 0.
        cancelled_before: whether the job had found it cancelled.
        lacks: what it lacks to be created.
        passed: its dates that have passed.
        left_out: fields that are not taken along.
        filters: by which a new one is found.
        who: who gets it.
    """

    reference: str
    job: str
    account: str
    host: str
    file: str
    place: int
    order: tuple[bool, bool, int]
    cancelled_before: bool
    lacks: tuple[str, ...]
    passed: tuple[str, ...]
    left_out: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    who: str


@dataclass(slots=True)
class Kept:
    """What was found in the snapshots of some jobs."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    files: list[FileRead] = field(default_factory=list)

    @property
    def damaged(self) -> Sequence[FileRead]:
        """Files that cannot be read whole."""
        return [read for read in self.files if read.why]


@dataclass(frozen=True, slots=True)
class Task:
    """One consignment that is to be created anew.

    Attributes:
        body: the request, without the marker.
        filters: by which it is found.
        given_up: the earlier attempt of which a person knows that it has created nothing.
    """

    reference: str
    job: str
    body: Mapping[str, Any]
    filters: tuple[tuple[str, str], ...]
    given_up: str = ""


class Snapshots:
    """The snapshots of a folder.

    Args:
        folder: where they are.
        cipher: decrypts them.
        now_ms: the present time: dates that have passed are left out.
    """

    def __init__(self, folder: Path, cipher: Cipher, now_ms: int) -> None:
        self._folder = folder
        self._cipher = cipher
        self._now_ms = now_ms

    def jobs(self) -> list[str]:
        """The jobs of which something is kept, sorted.

        Raises:
            InputError: the folder cannot be read.
        """
        try:
            return sorted({job for path in self._folder.iterdir() if (job := job_of(path.name))})
        except OSError as error:
            raise InputError(f"{self._folder} cannot be read: {error.strerror or type(error).__name__}") from None

    def look(self, jobs: Sequence[str], only: str | None = None) -> Kept:
        """Finds the best record of each consignment of these jobs, or of one alone."""
        kept = Kept()
        for job in jobs:
            for read, entry in entries_of(self._folder, job, self._cipher):
                if entry is None:
                    kept.files.append(read)
                elif only in {None, entry.reference}:
                    known = kept.candidates.get(entry.reference)
                    if known is None or rank(entry) > known.order:
                        kept.candidates[entry.reference] = self._candidate(entry, read)
        return kept

    def tasks(self, wanted: Mapping[str, Candidate], given_up: Mapping[str, str]) -> Iterator[Task]:
        """Reads the records of what is wanted once more, and makes their requests."""
        for job in sorted({one.job for one in wanted.values()}):
            for read, entry in entries_of(self._folder, job, self._cipher):
                one = wanted.get(entry.reference) if entry else None
                if one and entry and (one.file, one.place) == (read.name, read.entries - 1):
                    body = creation_of(entry.record, self._now_ms).body
                    yield Task(one.reference, one.job, body, one.filters, given_up.get(one.reference, ""))

    def _candidate(self, entry: Entry, read: FileRead) -> Candidate:
        made = creation_of(entry.record, self._now_ms)
        return Candidate(
            entry.reference, entry.job, entry.account, entry.host, read.name, read.entries - 1, rank(entry),
            was_cancelled(entry), made.lacks, made.passed, made.left_out, search_filters(made.body),
            addressee(made.body),
        )  # fmt: skip
