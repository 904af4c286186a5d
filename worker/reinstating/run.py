"""Creates many consignments: the first alone, which is read back, then some at once, until something is wrong."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cancellist.jobs.errors import NotPermittedError
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement, differs, is_marked
from cancellist.worker.reinstating.candidates import Task
from cancellist.worker.reinstating.creator import Creator, HaltError, Place

_AT_ONCE: Final = 4
_NOT_MADE_IN_A_ROW: Final = 5


@dataclass(slots=True)
class Run:
    """One run.

    Args:
        place: where consignments are created.
        at_once: the most at once.
        on_told: is told what came of each; of one more than once, where more becomes known.

    Attributes:
        done: what came of each so far.
        halted: why it stopped before its end; None where it did not.
        note: what else there is to know.
    """

    place: Place
    at_once: int
    on_told: Callable[[], None]
    done: dict[str, Reinstatement] = field(default_factory=dict)
    halted: str | None = None
    note: str | None = None
    _in_a_row: int = 0
    _checked: bool = False

    async def make(self, tasks: Iterator[Task]) -> None:
        """Creates what the tasks ask for. Where this is cancelled, requests that were sent are ended first.

        Raises:
            LedgerError: the server does not answer.
            OutputError: what is done cannot be noted on the disk.
        """
        creator = Creator(self.place, self._tell)
        while not self._checked and not self.halted:
            task = next(tasks, None)
            if task is None:
                return
            await self._one(creator, task)
        lanes = [asyncio.create_task(self._lane(creator, tasks)) for _ in range(min(_AT_ONCE, self.at_once))]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                if not lane.cancelling():  # a second time would break off what it does at its end
                    lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self, creator: Creator, tasks: Iterator[Task]) -> None:
        while not self.halted and (task := next(tasks, None)) is not None:
            await self._one(creator, task)

    async def _one(self, creator: Creator, task: Task) -> None:
        try:
            made = await creator.create(task)
            if made.fate is Fate.CREATED and not self._checked:
                await self._check(creator, task, made)
        except (HaltError, NotPermittedError) as error:
            self._halt(str(error))
            return
        self._in_a_row = 0 if made.fate in {Fate.CREATED, Fate.ALREADY_CREATED} else self._in_a_row + 1
        if self._in_a_row >= _NOT_MADE_IN_A_ROW:
            self._halt(f"{self._in_a_row} in a row were not created")

    async def _check(self, creator: Creator, task: Task, made: Reinstatement) -> None:
        """Reads the first one back: what is wrong with it would be wrong with all others."""
        self._checked = True
        new = made.new or ""
        record = await self.place.search.record(new)
        if isinstance(record, str):
            self._halt(f"{new}, the first that was created, cannot be read back: {record}")
            return
        wrong = differs(task.body, record)
        if wrong:
            self._halt(f"{new}, the first that was created, differs from {task.reference}: {wrong} is another")
            return
        creator.marker_is_kept = is_marked(record, task.reference)
        if not creator.marker_is_kept:
            self.note = "the platform shows no marker: where an answer is lost, nobody can look whether it was created"

    def _tell(self, one: Reinstatement) -> None:
        self.done[one.reference] = one
        self.on_told()

    def _halt(self, why: str) -> None:
        self.halted = self.halted or why
