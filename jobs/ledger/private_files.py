"""Files that hold a private key: only their owner may read them."""

import os
from pathlib import Path
from typing import Final

from cancellist.jobs.errors import SettingsError

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
