"""Reads files of settings as UTF-8 text, or refuses them with the file and the line."""

import codecs
import os
import stat
from pathlib import Path

from cancellist.jobs.errors import SettingsError

_MOST_BYTES = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""Byte order marks. Longer ones come first, since they begin like shorter ones."""


def read(path: Path) -> str | None:
    """Returns the text of a file without a byte order mark; None if there is no file.

    Raises:
        SettingsError: the file cannot be read, or is not UTF-8.
    """
    try:
        data = _bytes(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingsError(f"{path} is a link to a file that does not exist") from None
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError:  # a NUL in the name
        raise SettingsError("the name of a file of settings holds a NUL") from None
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"{path} is larger than {_MOST_BYTES >> 20} MiB: it is no file of settings")
    return _decoded(path, data)


def _bytes(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a named pipe without a writer would block.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        facts = os.fstat(file.fileno())
        mode = facts.st_mode
        if not stat.S_ISREG(mode) and facts.st_rdev != Path(os.devnull).stat().st_rdev:  # that is an empty file
            what = "a named pipe or socket" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "a device"
            raise SettingsError(f"{path} is {what}, not a file")
        return file.read(_MOST_BYTES + 1)


def _decoded(path: Path, data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise SettingsError(f"{path}, line 1: the file is {encoding}: save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        raise SettingsError(
            f"{path}, line {_line(data, data.index(0))}: holds a NUL, as UTF-16 does: save the file as UTF-8"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}, line {_line(data, error.start)}: is not UTF-8: save the file as UTF-8") from None


def _line(data: bytes, at: int) -> int:
    before = data[:at].replace(b"\r\n", b"\n")
    return 1 + before.count(b"\n") + before.count(b"\r")
