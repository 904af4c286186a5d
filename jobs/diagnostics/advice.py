"""What to do about an account whose breaker is open, in the names of its own settings and commands."""

from dataclasses import dataclass

from cancellist.jobs.escaping import plain
from cancellist.jobs.model import DEFAULT_ACCOUNT, BreakerCause


@dataclass(frozen=True, slots=True)
class SettingNames:
    """The names of an account's settings in the place that they come from.

    Attributes:
        account: the account's name.
        key: the setting that holds the API key.
        key_in_file: whether that setting names a file. It is read again once the key is refused.
        url: the setting that holds the platform's URL.
    """

    account: str = DEFAULT_ACCOUNT
    key: str = "CANCELLIST_API_KEY"
    key_in_file: bool = False
    url: str = "CANCELLIST_API_URL"


def resume_command(account: str) -> str:
    """The command that resumes an account."""
    return "cancellist resume" + ("" if account == DEFAULT_ACCOUNT else f" --account {plain(account)}")


def advice(kind: BreakerCause | None, wording: SettingNames = SettingNames()) -> str:
    """What to do about an open breaker; empty where it is closed."""
    match kind:
        case BreakerCause.DENIED if wording.key_in_file:
            how = f"check the key in the file that {wording.key} names, which is read again, and {wording.url}"
            return f"{how}; `{resume_command(wording.account)}` tries at once"
        case BreakerCause.DENIED:
            how = f"check {wording.key} and {wording.url}, and start workers anew where one was wrong"
            return f"{how}; `{resume_command(wording.account)}` tries at once"
        case BreakerCause.OUTAGE:
            return f"nothing: it is probed until it answers; if it lasts, check {wording.url}"
        case None:
            return ""
