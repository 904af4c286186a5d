"""What to do about an account that stands still, with the names of its own settings and commands."""

from dataclasses import dataclass

from cancellist.jobs.escaping import plain
from cancellist.jobs.model import DEFAULT_ACCOUNT, BreakerCause


@dataclass(frozen=True, slots=True)
class SettingNames:
    """How an account's settings are named where it takes them from.

    Attributes:
        account: its name.
        key: the setting of its key.
        key_in_file: that setting names a file, which is read again once the key is refused.
        url: the setting of its platform.
    """

    account: str = DEFAULT_ACCOUNT
    key: str = "CANCELLIST_API_KEY"
    key_in_file: bool = False
    url: str = "CANCELLIST_API_URL"


def resume_command(account: str) -> str:
    """The command that lets an account go on."""
    return "cancellist resume" + ("" if account == DEFAULT_ACCOUNT else f" --account {plain(account)}")


def advice(kind: BreakerCause | None, wording: SettingNames = SettingNames()) -> str:
    """What to do about an open breaker."""
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
