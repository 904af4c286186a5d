"""Subscription keys: what can be one, and files that hold one."""

from pathlib import Path

from cancellist.jobs.errors import SettingsError

_MAX_LENGTH = 4096
_OTHERS = 0o077
_QUOTES = "\"'"


def as_key(text: str) -> str:
    """The key in a text, without the white space around it.

    Raises:
        ValueError: no HTTP header can carry it; the text never holds the key.
    """
    key = text.strip()
    if not key:
        raise ValueError("holds no key")
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        raise ValueError("begins or ends with a quote: write the key without")
    if len(key) > _MAX_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("is no key: a key is one word of ASCII letters, digits and signs")
    return key


def read_key(path: Path, setting: str) -> str:
    """Reads the key that a file holds.

    Raises:
        SettingsError: it cannot be read, or holds none; the text names the setting and the file, never the key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_LENGTH + 2).decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} is no text file") from None
    try:
        return as_key(text)
    except ValueError as error:
        raise SettingsError(f"{setting}: {path} {error}") from None


def is_open(path: Path) -> bool:
    """Whether others than its owner may read or write a file."""
    return bool(path.stat().st_mode & _OTHERS)
