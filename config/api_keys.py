"""Subscription keys: their form, and files that hold them."""

from pathlib import Path

from cancellist.jobs.errors import SettingsError

_MAX_LENGTH = 4096
_OTHERS = 0o077
_QUOTES = "\"'"


def as_key(text: str) -> str:
    """Returns the key without the white space around it.

    Raises:
        ValueError: an HTTP header cannot carry it. The text never holds the key.
    """
    key = text.strip()
    if not key:
        raise ValueError("holds no key")
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        raise ValueError("begins or ends with a quote: remove the quotes")
    if len(key) > _MAX_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("is not a key: a key is one word of ASCII letters, digits and signs")
    return key


def read_key(path: Path, setting: str) -> str:
    """Reads the key from a file.

    Raises:
        SettingsError: the file cannot be read or holds no key. The text names the setting and the file, never the key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_LENGTH + 2).decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} is not a text file") from None
    try:
        return as_key(text)
    except ValueError as error:
        raise SettingsError(f"{setting}: {path} {error}") from None


def is_open(path: Path) -> bool:
    """Returns whether users other than its owner can read or write a file."""
    return bool(path.stat().st_mode & _OTHERS)
