"""What `cancellist snapshots` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancellist.cli.output import wording
from cancellist.cli.terminal import cell, emit, heading, say, show
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import InputError, SettingsError
from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.safety.snapshot import Entry, chosen
from cancellist.jobs.times import rfc3339

if TYPE_CHECKING:
    from cancellist.worker.snapshots.cipher import Cipher
    from cancellist.worker.snapshots.reading import FileRead


def make_key(file: str, *, as_json: bool) -> None:
    """Makes a key in a new file.

    Raises:
        OutputError: the file is there, or cannot be written.
    """
    from cancellist.worker.snapshots import cipher  # noqa: PLC0415 - slow to import, and rarely needed

    path = Path(file)
    cipher.make_key(path)
    if as_json:
        emit({"file": file})
        return
    say(f"{path} has the key: set {cipher.SETTING} to it, and keep a copy, since without it no record can be read")


def list_job(job: str, *, as_json: bool) -> None:
    """Lists what was kept for a job: how many records, when, and in which files.

    Raises:
        CancellistError: nothing was kept here, or it cannot be read.
    """
    from cancellist.worker.snapshots.reading import entries_of  # noqa: PLC0415 - slow to import

    folder, cipher = folder_and_cipher(load())
    files = [read for read, entry in entries_of(folder, job, cipher) if entry is None]
    if not files:
        raise _nothing(job)
    references = set[str]().union(*(read.references for read in files))
    if as_json:
        records = sum(read.entries for read in files)
        emit({
            "job": job, "folder": str(folder), "records": records, "references": len(references),
            "files": [_file_view(read) for read in files],
        })  # fmt: skip
    else:
        say(f"records of {wording.references(len(references))} are kept for job {job} in {folder}")
        table = heading("file", "records", "from", "to", "note", right=("records",), wrapped=("note",))
        for read in files:
            table.add_row(*map(cell, _row(read)))
        show(table)
    _check(files)


def show_record(job: str, reference: str, *, as_json: bool) -> None:
    """Prints the record of one reference, as it was before the job called it.

    Raises:
        CancellistError: it was not kept here, or it cannot be read.
    """
    from cancellist.worker.snapshots.reading import entries_of  # noqa: PLC0415 - slow to import

    folder, cipher = folder_and_cipher(load())
    name = normalise(reference)
    files: list[FileRead] = []
    found: list[Entry] = []
    for read, entry in entries_of(folder, job, cipher):
        if entry is None:
            files.append(read)
        elif entry.reference == name:
            found.append(entry)
    if not files:
        raise _nothing(job)
    best = chosen(found)
    if best is None:
        _check(files)
        raise InputError(f"no record of {shown(name)} is kept for job {job} in {folder}")
    if not as_json:
        before = "after a call that may have acted on it" if best.called else "before it was called"
        say(f"{best.reference} as {best.host} told it at {rfc3339(best.at_ms)}, {before}; kept by {best.worker}")
    emit({
        "job": best.job, "reference": best.reference, "account": best.account, "host": best.host,
        "at": rfc3339(best.at_ms), "worker": best.worker, "called_before": best.called, "kept": len(found),
        "record": best.record,
    })  # fmt: skip
    _check(files)


def folder_and_cipher(settings: Settings) -> "tuple[Path, Cipher]":
    """The folder of the records, and what decrypts them.

    Raises:
        SettingsError: a setting is missing, or the key cannot be used.
    """
    from cancellist.worker.snapshots.cipher import SETTING, load_cipher  # noqa: PLC0415 - slow to import
    from cancellist.worker.snapshots.store import DIR_SETTING  # noqa: PLC0415

    if settings.snapshot_dir is None:
        raise SettingsError(
            f"{DIR_SETTING} is not set, so this machine has no records: run it where a worker keeps them"
        )
    if settings.snapshot_key_file is None:
        raise SettingsError(f"{SETTING} is not set, and without the key no record can be read")
    return settings.snapshot_dir, load_cipher(settings.snapshot_key_file)


def _nothing(job: str) -> InputError:
    return InputError(
        f"no record is kept here for job {job}",
        hint="its workers may keep them on other machines, the job may have been handed in without --snapshot, or "
        "SNAPSHOT_KEEP has passed",
    )


def _file_view(read: "FileRead") -> dict[str, Any]:
    return {
        "file": read.name, "records": read.entries, "references": len(read.references), "from": rfc3339(read.from_ms),
        "to": rfc3339(read.to_ms), "torn": read.torn, "error": read.why,
    }  # fmt: skip


def _row(read: "FileRead") -> tuple[str, ...]:
    torn = "its last record was cut off as it was written, and was not kept" if read.torn else ""
    note = f"{shown(read.why)}: nothing after that is read" if read.why else torn
    times = (rfc3339(read.from_ms) or "", rfc3339(read.to_ms) or "")
    return (read.name, wording.count(read.entries), *times, note)


def _check(files: "Sequence[FileRead]") -> None:
    """Tells of files that are not as a worker has written them.

    Raises:
        InputError: there is one.
    """
    wrong = [read for read in files if read.why]
    if wrong:
        others = f", and {len(wrong) - 1} more files" if len(wrong) > 1 else ""
        raise InputError(f"{wrong[0].name} cannot be read whole ({shown(wrong[0].why or '')}){others}")
