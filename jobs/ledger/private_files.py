"""Files that hold a private key: only their owner may read them."""

import contextlib
import os
from pathlib import Path
from typing import Final

from cancellist.jobs.errors import OutputError, SettingsError

_OTHERS: Final = 0o077


def read_private(path: Path, setting: str, most: int) -> bytes:
    """The beginning of such a file, at most so many bytes.

    Raises:
        SettingsError: it cannot be read, or others can read or write it; the text names the setting.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(most)
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror or type(error).__name__}") from None
    if mode & _OTHERS:
        raise SettingsError(f"{setting}: other users can read or write {path}, so it is not used: chmod 600")
    return text


def write_new(path: Path, text: bytes, mode: int = 0o600) -> None:
    """Writes a new file, whole or not at all, that has its mode from the first moment on; never over another.

    Raises:
        OutputError: something is there already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise OutputError(f"{path} is there already, so no key was made", hint="give another file") from None
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except BaseException as error:
        remove(path)
        if isinstance(error, OSError):
            raise _unwritten(path, error) from None
        raise


def remove(path: Path) -> None:
    """Removes what was just written, where that goes."""
    with contextlib.suppress(OSError):
        path.unlink()


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} cannot be written: {error.strerror or type(error).__name__}")
