"""Reads the sources of settings: the environment, `.env` and a TOML file.

For each setting the environment wins over `.env`, and `.env` over the TOML file. An empty value counts as unset.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cancellist.config import setting_names, settings_files
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.escaping import shown

CONFIG = f"{setting_names.PREFIX}CONFIG"
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_AS_IT_STANDS = frozenset({"reference_pattern"})
"""Settings whose value is not stripped: spaces around it are an error there."""
MAY_BE_EMPTY = frozenset({"api_version"})
"""Settings whose empty value has a meaning."""
_ACCOUNT = setting_names.ACCOUNTS.removesuffix("__").lower()
NO_TABLES = (
    "must be tables, [accounts.NAME] in TOML, "
    f"{setting_names.PREFIX}{setting_names.ACCOUNTS}NAME__API_URL and the like in the environment"
)
"""The error of `accounts` that are not tables."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was set: `values` by name of the setting in lower case; `named` is all of the environment and `.env`."""

    values: dict[str, Any]
    named: Mapping[str, str]


def read(env_file: Path | str | None, fields: Collection[str]) -> Given:
    """Reads every source once.

    Args:
        env_file: the `.env` file; None for none.
        fields: names of the settings.

    Raises:
        SettingsError: a source cannot be read completely, or a value is in quotes. The text holds no value.
    """
    environment = {name: value for name, value in os.environ.items() if name.upper().startswith(setting_names.PREFIX)}
    in_file = _env_file(Path(env_file)) if env_file else {}
    values: dict[str, Any] = {}
    toml = _toml(environment.get(CONFIG) or in_file.get(CONFIG), fields)
    for source in (toml, _nested(in_file), _nested(environment)):
        below, above = values.get(_ACCOUNT, {}), source.get(_ACCOUNT, {})
        accounts = {name: _merged(below.get(name), above.get(name)) for name in {**below, **above}}
        values = {**values, **source, **({_ACCOUNT: accounts} if accounts else {})}
    return Given(values, {**in_file, **environment})


def _env_file(path: Path) -> dict[str, str]:
    text = settings_files.read(path)
    if text is None:
        return {}
    from cancellist.config import envfile  # noqa: PLC0415 - python-dotenv is slow to import, and few have such a file

    return envfile.parse(path, text, os.environ)


def expanded(path: Path) -> Path:
    """Returns a path with `~` replaced by the home folder.

    Raises:
        ValueError: no home folder is known.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and no home folder is known: write the whole path") from None


def _merged(below: Any, above: Any) -> Any:
    if below is None or above is None:
        return below if above is None else above
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **above}
    return below if isinstance(above, dict) else above  # a value that is not a table stays, so that it is refused later


def _nested(given: Mapping[str, str]) -> dict[str, Any]:
    """Returns values by setting; those of accounts by account, then by setting."""
    found: dict[str, Any] = {}
    accounts: dict[str, Any] = {}
    written_as: dict[str, str] = {}
    for name, value in given.items():
        ours = name.upper()
        if not ours.startswith(setting_names.PREFIX) or setting_names.is_of_a_service(name, value):
            continue
        if ours in written_as:
            raise SettingsError(
                f"{shown(name)}: {shown(written_as[ours])} is set too, the same setting: keep one of them"
            )
        written_as[ours] = name
        bare = ours.removeprefix(setting_names.PREFIX).lower()
        account, parted, setting = bare.removeprefix(setting_names.ACCOUNTS.lower()).partition("__")
        cleaned = _cleaned(name, setting if parted else bare, value)
        if cleaned is None:
            continue
        if bare == _ACCOUNT:
            raise SettingsError(f"{shown(name)}: {NO_TABLES}")
        if not bare.startswith(setting_names.ACCOUNTS.lower()):
            found[bare] = cleaned
        elif parted and isinstance(accounts.setdefault(account, {}), dict):
            accounts[account][setting] = cleaned
        elif not parted:
            accounts[account] = cleaned
    return {**found, **({_ACCOUNT: accounts} if accounts else {})}


def _cleaned(name: str, setting: str, value: str) -> str | None:
    """Returns a value without spaces around it; None if it is empty.

    Raises:
        SettingsError: the value is not UTF-8, or begins or ends with a quote. No setting needs one there, and
            `docker run --env-file` keeps quotes that a shell would remove.
    """
    bare = value.strip()
    if not bare:
        return "" if setting in MAY_BE_EMPTY else None
    if not bare.isprintable() and any("\ud800" <= character <= "\udfff" for character in bare):
        raise SettingsError(f"{shown(name)}: is not UTF-8")
    if bare[0] in _QUOTES or bare[-1] in _QUOTES:
        raise SettingsError(
            f"{shown(name)}: begins or ends with a quote, which counts as part of the value here: remove the quotes"
        )
    return value if setting in _AS_IT_STANDS else bare


def _toml(named: str | None, fields: Collection[str]) -> dict[str, Any]:
    """Returns what the TOML file sets. Names of accounts are in lower case, to match those of the environment.

    Raises:
        SettingsError: the file does not exist, is not TOML, or has a name that is not a setting.
    """
    cleaned = _cleaned(CONFIG, "config", named or "")
    if cleaned is None:
        return {}
    try:
        path = expanded(Path(cleaned))
    except ValueError as error:
        raise SettingsError(f"{CONFIG}: {error}") from None
    text = settings_files.read(path)
    if text is None:
        raise SettingsError(f"{CONFIG} names {path}, which does not exist")
    import tomllib  # noqa: PLC0415 - as above

    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: {shown(str(error))}") from None
    for name in found:
        if name not in fields:
            raise SettingsError(
                f"{path}: {shown(name)} is not a setting{setting_names.suggestion(name.lower(), fields)}"
            )
    accounts = found.get(_ACCOUNT)
    if accounts is not None:
        if not isinstance(accounts, dict):
            raise SettingsError(f"{setting_names.PREFIX}{_ACCOUNT.upper()}: {NO_TABLES}")
        lowered = {name.lower(): _table(path, value) for name, value in accounts.items()}
        if len(lowered) < len(accounts):
            raise SettingsError(f"{path}: two accounts have the same name: upper and lower case count as equal")
        found[_ACCOUNT] = lowered
    return dict(_table(path, found))


def _table(path: Path, table: Any) -> Any:
    """Returns a table of the TOML file with its texts cleaned."""
    if not isinstance(table, dict):
        return table
    cleaned = {
        name: _cleaned(f"{path}: {name}", name, value) if isinstance(value, str) else value
        for name, value in table.items()
    }
    return {name: value for name, value in cleaned.items() if value is not None}
