"""What a worker goes by: its settings, and its log as they say."""

import structlog

from cancellist.config import logs
from cancellist.config.api_keys import is_open
from cancellist.config.loading import load
from cancellist.config.settings import Settings, log_format

log = structlog.get_logger()


def configured() -> Settings:
    """The settings of this process, with its log as they say.

    Raises:
        SettingsError: one is wrong.
    """
    odd_names: list[str] = []
    settings = load(odd_names.append)
    logs.configure(log_format(settings), settings.log_level)
    for line in odd_names:
        log.warning(line)
    return settings


def check_key(settings: Settings, account: str) -> None:
    """Checks an account's key, and tells where others can read the file that holds it.

    Raises:
        SettingsError: a key that is wanted is not set, or its file holds none.
    """
    settings.check_key(account)
    settings.key(account)
    file = settings.of(account).api_key_file
    if file and is_open(file):
        log.warning("others than its owner can read the key's file: chmod 600", account=account, file=str(file))
