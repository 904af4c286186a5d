"""A worker's settings, and its log by these settings."""

import structlog

from cancellist.config import logs
from cancellist.config.api_keys import is_open
from cancellist.config.loading import load
from cancellist.config.settings import Settings, log_format

log = structlog.get_logger()


def configured() -> Settings:
    """Loads the settings of this process, and configures its log by them.

    Raises:
        SettingsError: a setting is wrong.
    """
    odd_names: list[str] = []
    settings = load(odd_names.append)
    logs.configure(log_format(settings), settings.log_level)
    for line in odd_names:
        log.warning(line)
    return settings


def check_key(settings: Settings, account: str) -> None:
    """Checks an account's key, and logs a warning where other users can read its file.

    Raises:
        SettingsError: a required key is not set, or its file is empty.
    """
    settings.check_key(account)
    settings.key(account)
    file = settings.of(account).api_key_file
    if file and is_open(file):
        log.warning("other users can read the key's file: chmod 600", account=account, file=str(file))
