"""Opens the store of snapshots that the settings name."""

import structlog

from cancellist.config.settings import Settings
from cancellist.jobs.errors import SettingsError
from cancellist.worker.snapshots.store import DIR_SETTING, NotKeptError, SnapshotStore

log = structlog.get_logger()


def open_store(settings: Settings, worker: str) -> SnapshotStore | None:
    """Opens the store of a worker; None where the settings name none.

    The folder is not made, and need not be there yet: a folder in place of a disk that is not mounted would hide that.

    Raises:
        SettingsError: an account wants snapshots and there is no folder for them, or the key cannot be used.
    """
    if settings.snapshot_dir is None:
        for name in settings.account_names:
            if settings.of(name).snapshot:
                raise SettingsError(
                    f"{settings.prefix(name)}SNAPSHOT is on and {DIR_SETTING} is not set: nothing could be cancelled"
                )
        return None
    from cancellist.worker.snapshots.cipher import SETTING, load_cipher  # noqa: PLC0415 - slow to import

    if settings.snapshot_key_file is None:
        raise SettingsError(
            f"{DIR_SETTING} is set and {SETTING} is not: records are kept only encrypted",
            hint="`cancellist snapshots --new-key FILE` makes a key",
        )
    return SnapshotStore(settings.snapshot_dir, load_cipher(settings.snapshot_key_file), worker)


def warn_if_unfit(store: SnapshotStore | None) -> None:
    """Logs that no records can be kept now, where it is so."""
    try:
        if store:
            store.check()
    except NotKeptError as error:
        log.warning("no records can be kept now", reason=str(error))
