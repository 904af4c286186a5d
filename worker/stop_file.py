"""The stop file: while it is there, this worker starts no call, and all accounts are stopped.

It is looked at before every call, so that it also works while the server is away. That all accounts are stopped is
written to the ledger as soon as the server answers. Until then the worker goes by the file alone, also if the file is
gone by then: only `cancellist resume --all` lets calls start again.
"""

import asyncio
import os
import socket
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from cancellist.jobs.errors import SettingsError
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger import stop_all
from cancellist.jobs.ledger.core import Ledger

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 0.1
_TELL_EVERY_S: Final = 0.5
"""How often a file that stays is noted again (lua/shared/stop_all.lua forgets it after some seconds)."""


class StopFile:
    """The stop file of one worker; `path` is None where none is set."""

    def __init__(self, ledger: Ledger, worker: str, path: Path | None) -> None:
        """Begins without having seen it.

        Raises:
            SettingsError: the file's folder is not there or cannot be searched.
        """
        self._ledger = ledger
        self._worker = worker
        self._path = path
        self._where = plain(f"{socket.gethostname()}:{path}")
        self._why = ""
        self._untold = False
        self._noted_at = 0.0
        if path and (fault := fault_of(path)):
            raise SettingsError(fault)

    @property
    def is_set(self) -> bool:
        """Whether there is one to look for."""
        return self._path is not None

    def stands(self) -> bool:
        """Whether no call may start: the file is there, or was there and the ledger does not have it yet."""
        if self._path is None:
            return False
        self._see(why_stopped(self._path, self._where))
        return bool(self._why) or self._untold

    async def watch(self) -> None:
        """Looks for the file all the time, whatever becomes of the server."""
        while True:
            self.stands()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def tell(self) -> None:
        """Writes what was seen to the ledger where that is due.

        Raises:
            LedgerError: the server did not take it. It is still due.
        """
        why, at = self._why, monotonic()
        if self._untold or (why and at - self._noted_at > _TELL_EVERY_S):
            said = why or f"the stop file {self._where} was there"
            await stop_all.note_file(self._ledger, self._worker, self._where, "STOP_FILE", said)
            self._untold, self._noted_at = False, at
        elif self._noted_at and not why:
            await stop_all.note_file(self._ledger, self._worker, "")
            self._noted_at = 0.0
        await asyncio.sleep(_LOOK_EVERY_S / 2)

    def _see(self, why: str) -> None:
        if why and not self._why:
            self._untold = True
            log.warning("the stop file keeps calls from starting", why=why)
        elif self._why and not why:
            log.warning("the stop file is gone: resume all accounts to let calls start again", file=self._where)
        self._why = why


def fault_of(path: Path) -> str:
    """What is wrong with the path of a stop file; empty where nothing is. The file itself need not be there."""
    name = "CANCELLIST_STOP_FILE"
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "" if path.parent.is_dir() else f"{name}: there is no folder {path.parent}: make it first"
    except OSError as error:
        return f"{name}: {path} cannot be looked at ({error.strerror}): give this user the right to"
    return ""


def why_stopped(path: Path, where: str) -> str:
    """Why no call may start; empty where the file is not there. What cannot be looked at counts as there.

    So does a file whose folder is gone: nobody could make it, and its volume may be gone with a file on it.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "" if path.parent.is_dir() else f"the folder of the stop file {where} is gone"
    except OSError as error:
        return f"the stop file {where} cannot be looked at: {error.strerror}"
    return f"the stop file {where} is there"
