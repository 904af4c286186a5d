"""Loads and checks the settings of a process, and explains what is wrong with them."""

import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import ValidationError

from cancellist.config import setting_names, sources
from cancellist.config.accepted_values import accepted, is_secret
from cancellist.config.account_settings import AccountSettings
from cancellist.config.settings import ENV_FILE, Settings
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.escaping import shown
from cancellist.jobs.wrong_values import explained

_LONG_VALUE = re.compile(r"^'[^']{21,}'")
"""A long value at the beginning of a message. It is not repeated: it may be a secret in the wrong place."""


@cache
def _tell(line: str) -> None:
    sys.stderr.write(f"cancellist: {line}\n")


def load(tell: Callable[[str], None] = _tell, **overrides: Any) -> Settings:
    """Returns the settings of this process.

    Args:
        tell: called with a warning for each unknown name that begins with `CANCELLIST_`. By default a warning goes to
            standard error, once a process.
        overrides: values that win over all sources.

    Raises:
        SettingsError: a setting is wrong. The text names it and says what it must be, and never holds a secret.
    """
    env_file = overrides.pop("_env_file", ENV_FILE)
    given = sources.read(env_file, Settings.model_fields)
    for line in setting_names.odd(given.named, Settings.model_fields):
        tell(line)
    try:
        return Settings(_given=given, **overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_say(e) for e in error.errors(include_url=False))) from None


def odd_names() -> list[str]:
    """Returns a warning for each unknown name in the environment or `.env` that begins with `CANCELLIST_`.

    Raises:
        SettingsError: `.env` or the TOML file cannot be read.
    """
    return setting_names.odd(sources.read(ENV_FILE, Settings.model_fields).named, Settings.model_fields)


def _say(error: Any) -> str:
    loc = [part for part in error["loc"] if part != "[key]"]
    where = [shown(str(part)) for part in loc]
    of_account = where[:1] == ["accounts"]
    if not where:
        return explained(error, secret=True)
    depth = 3 if of_account else 1
    name = setting_names.PREFIX + "__".join(where[:depth]).upper()
    if where == ["accounts"]:
        return f"{name}: {sources.NO_TABLES}"
    if error["type"] == "extra_forbidden":
        known = map(str.upper, AccountSettings.model_fields)
        return f"{name}: no such setting{setting_names.suggestion(where[-1].upper(), known)}"
    if of_account and error["loc"][-1] == "[key]":
        return f"{name}: an account's name has 1 to 32 letters, digits, _ and -, and begins with a letter or digit"
    fields = AccountSettings.model_fields if of_account else Settings.model_fields
    field = fields.get(str(loc[depth - 1])) if len(loc) >= depth else None
    if field is None:
        return f"{name}: {explained(error, secret=True)}"
    inside = "".join(f"entry {part + 1}: " if isinstance(part, int) else f"{shown(part)}: " for part in loc[depth:])
    told = explained(error, accepted(field, whole=not inside), secret=is_secret(field))
    return f"{name}: {inside}{_LONG_VALUE.sub('it', told)}"
