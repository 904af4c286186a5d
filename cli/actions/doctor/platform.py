"""Checks of the platform for each account: the connection, and whether the platform accepts the key.

They read the state of a consignment that cannot exist. The platform answers 404 in its own form if the key is right.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from cancellist.config.settings import LOCAL_SANDBOX, Settings, is_loopback
from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, warning
from cancellist.jobs.responses.answer import Answer, Failure, of_platform
from cancellist.jobs.safety.environment import environment_of
from cancellist.worker.platform.client import PlatformClient

_NOWHERE = "CANCELLIST-DOCTOR"
_ANSWER_S = 10.0
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account's settings. `wording` has their names; `version` is the version of the platform's API."""

    name: str
    url: str
    wording: SettingNames
    key: str | None = field(repr=False)
    version: str


def subscription(settings: Settings, name: str) -> Subscription:
    """Returns the settings of a configured account.

    Raises:
        SettingsError: the account's key file holds no key.
    """
    own = settings.of(name)
    return Subscription(name, own.api_url, settings.wording(name), settings.key(name), own.api_version)


def transport(account: Subscription) -> CheckResult:
    """Checks that the connection to the platform is encrypted, or stays on this machine."""
    check, parts = f"tls {account.name}", urlsplit(account.url)
    if parts.scheme == "https":
        return ok(check, f"{account.url}: TLS, its certificate is verified; {environment_of(account.url).words}")
    if is_loopback(parts.hostname or ""):
        return ok(check, f"{account.url}: on this machine; {environment_of(account.url).words}")
    return warning(check, f"{account.url}: no TLS", "others on the network can read and change the references",
                   f"use https:// in {account.wording.url}")  # fmt: skip


def deallocation(account: str) -> CheckResult:
    """Returns the warning about DEALLOCATE_FIRST."""
    return warning(
        f"deallocating {account}",
        "DEALLOCATE_FIRST deallocates each consignment before it is cancelled",
        "if the cancelling call then fails, the consignment stays open and has lost its carrier",
        "leave it off unless the platform refuses to cancel allocated consignments; it also costs a read for each "
        "reference",
    )


async def key(account: Subscription) -> CheckResult:
    """Checks that the platform answers and accepts the key."""
    async with PlatformClient(account.url, account.key, timeout_s=_ANSWER_S, version=account.version) as client:
        return judged(account, await client.status(_NOWHERE))


def judged(account: Subscription, answer: Answer | Failure) -> CheckResult:
    """Returns what the platform's answer says about the key."""
    check, mend_url = f"key {account.name}", f"fix {account.wording.url}"
    match answer:
        case Failure(reason=reason) if _UNTRUSTED in reason:
            return failed(check, f"{account.url} shows a certificate that is not trusted ({reason})", "no call is made",
                          f"name its certificate authority in SSL_CERT_FILE, or {mend_url}")  # fmt: skip
        case Failure(reason=reason):
            start = "start it with `cancellist sandbox`, or " if account.url == LOCAL_SANDBOX else ""
            return failed(check, f"{account.url} does not answer ({reason})", "nothing is cancelled",
                          f"{start}{mend_url}; check the network and its proxies")  # fmt: skip
        case Answer(status=HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN as status):
            return failed(
                check,
                f"{account.url} refuses the key (HTTP {status})",
                "nothing is cancelled",
                _mend_key(account.wording),
            )
        case Answer(status=status) if status in _BUSY:
            return warning(check, f"{account.url} answers HTTP {status}",
                           "it is not known whether the platform accepts the key", "try again in a moment")  # fmt: skip
        case Answer(status=HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST as status, body=dict() as body) if of_platform(
            body
        ):
            known = "accepts the key" if account.key else "needs no key"
            return ok(check, f"{account.url} {known} (HTTP {status} for a consignment that does not exist)")
        case Answer(status=status):
            return failed(check, f"{account.url} answers HTTP {status}, but not as the platform does",
                          "a proxy or gateway answers in its place: workers ignore such answers", mend_url)  # fmt: skip


def _mend_key(wording: SettingNames) -> str:
    if wording.key_in_file:
        return f"write the subscription key of this host into the file that {wording.key} names"
    return f"set {wording.key} to the subscription key of this host"
