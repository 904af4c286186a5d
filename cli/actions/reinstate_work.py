"""What a reinstatement works with: the records that are wanted, and the place where consignments are created."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from cancellist.cli import session
from cancellist.cli.actions.snapshots import folder_and_cipher
from cancellist.cli.actions.whereabouts import check_asked
from cancellist.cli.output.environment import Whereabouts
from cancellist.cli.terminal import say
from cancellist.config.account_settings import AccountSettings
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError, JobStateError, SettingsError, UnknownJobError
from cancellist.jobs.ledger import permits, records, reinstatements, results
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import Outcome
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.safety.reinstatement import Fate, Reinstatement
from cancellist.worker.accounts import client_of, terms_of
from cancellist.worker.platform.client import PlatformClient
from cancellist.worker.reinstating.candidates import Candidate, Kept, Snapshots
from cancellist.worker.reinstating.creator import Place
from cancellist.worker.reinstating.journal import Journal
from cancellist.worker.reinstating.marker_search import MarkerSearch
from cancellist.worker.reinstating.survey import Survey, Surveyor

_READS_AT_ONCE: Final = 8
_MINE: Final = frozenset({Outcome.CANCELLED, Outcome.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; as the command's options."""

    target: str
    dry_run: bool = False
    count: int | None = None
    host: str | None = None
    plan: str | None = field(default=None, repr=False)
    again: bool = False
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What it is done with.

    Attributes:
        job: the job whose consignments are wanted; empty where one reference is.
        by: who does it; empty where nothing is to be created.
    """

    settings: Settings
    asked: Asked
    folder: Path
    snapshots: Snapshots
    candidates: Mapping[str, Candidate]
    job: str
    account: str
    by: str
    run: str

    @property
    def own(self) -> AccountSettings:
        """The account's settings."""
        return self.settings.of(self.account)

    @property
    def place(self) -> Whereabouts:
        """Where consignments are created."""
        return Whereabouts(self.account, (self.own.environment,))

    def journal(self) -> Journal:
        """The file of what was created."""
        about = {"host": self.own.environment.host, "run": self.run, "by": self.by}
        return Journal(self.folder, self.account, about)


def check_on(settings: Settings, accounts: Sequence[str]) -> None:
    """Looks whether one of these accounts may create consignments anew.

    Raises:
        SettingsError: none may.
    """
    if not any(settings.of(account).reinstate for account in accounts):
        name = f"{settings.prefix(accounts[0])}REINSTATE" if len(accounts) == 1 else "CANCELLIST_REINSTATE"
        raise SettingsError(
            f"{name} is off, so no consignment is created anew",
            hint="it creates consignments that cost money: set it to true where that is wanted",
        )


def found(settings: Settings, asked: Asked, by: str) -> Work:
    """Finds the records that are wanted.

    Raises:
        InputError: there is none, or a file of them cannot be read whole.
        SettingsError: their account may create none.
    """
    folder, cipher = folder_and_cipher(settings)
    snapshots = Snapshots(folder, cipher, time.time_ns() // 1_000_000)
    jobs = snapshots.jobs()
    is_job = asked.target in jobs
    kept = snapshots.look([asked.target]) if is_job else snapshots.look(jobs, normalise(asked.target))
    _check_files(kept, is_job=is_job)
    if not kept.candidates:
        raise InputError(
            f"no record is kept here for {asked.target!r}, as a job or as a reference",
            hint="workers may keep it on other machines, its job may have had no --snapshot, or SNAPSHOT_KEEP has "
            "passed",
        )
    account = next(iter(kept.candidates.values())).account
    if account not in settings.account_names:
        raise InputError(f"the records are of account {account!r}, which is not configured here")
    check_on(settings, [account])
    settings.check_key(account)
    job = asked.target if is_job else ""
    return Work(settings, asked, folder, snapshots, kept.candidates, job, account, by, reinstatements.new_attempt())


def _check_files(kept: Kept, *, is_job: bool) -> None:
    wrong = kept.damaged
    if not wrong:
        return
    others = f", and {len(wrong) - 1} more files" if len(wrong) > 1 else ""
    told = f"{wrong[0].name} cannot be read whole ({wrong[0].why}){others}"
    if is_job or not kept.candidates:
        raise InputError(
            f"{told}; nothing was created", hint="what can be read is reinstated by its reference, one by one"
        )
    say(told)


@asynccontextmanager
async def opened(work: Work) -> AsyncIterator[Place]:
    """Opens the ledger and the platform."""
    async with session.ledger_of(work.settings) as there, client_of(work.settings, work.account) as client:
        yield _place(work, there.ledger, client)


def _place(work: Work, ledger: Ledger, client: PlatformClient) -> Place:
    own, terms = work.own, terms_of(work.settings, work.account)
    permit = partial(permits.permitted, ledger, work.account, terms, keep_s=own.call_timeout + 1)
    pattern = ReferencePattern(own.reference_pattern)
    return Place(
        ledger, client, permit, work.journal(), MarkerSearch(client, pattern, permit), pattern,
        work.account, work.run, lease_ms=round((own.call_timeout + 5) * 2000),
    )  # fmt: skip


async def look(work: Work) -> tuple[Survey, list[Reinstatement]]:
    """Looks what would be created, and what the job has cancelled of which there is no record.

    Raises:
        JobStateError: the job has not ended.
        NotPermittedError: the account may make no call now, nor soon.
    """
    async with opened(work) as place:
        await check_asked(place.ledger, work.account, work.settings)
        missing = await _without_record(place.ledger, work) if work.job else []
        if not work.asked.dry_run:
            place.journal.check()
        hosts = frozenset({work.own.environment.host, work.own.host.lower()})
        surveyor = Surveyor(place, hosts, again=work.asked.again, rehearse=work.asked.dry_run)
        at_once = min(_READS_AT_ONCE, work.own.max_concurrent_calls)
        return await surveyor.look(work.candidates, at_once=at_once), missing


async def _without_record(ledger: Ledger, work: Work) -> list[Reinstatement]:
    """What the job has cancelled, by its results that are still there, and of which this machine has no record.

    Raises:
        JobStateError: the job has not ended.
    """
    try:
        record = await records.get(ledger, work.job)
    except UnknownJobError:  # it was trimmed, or is of another server
        return []
    if not record.state.ended:
        raise JobStateError(
            work.job, record.state, "reinstated before it has ended", hint="abort it, or wait for its end"
        )
    return [
        Reinstatement(one.reference, Fate.NO_RECORD)
        async for _, page in results.of_job(ledger, work.job)
        for one in page
        if one.outcome in _MINE and one.reference not in work.candidates
    ]
