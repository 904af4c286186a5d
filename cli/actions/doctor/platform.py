"""What is checked of the platform, for each account: whether it is reached safely, and whether it takes the key.

The state of a consignment that cannot exist is read: the platform answers 404 in its own form to who may ask.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from cancellist.config.settings import LOCAL_SANDBOX, Settings, is_loopback
from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, warning
from cancellist.jobs.responses.answer import Answer, Failure, of_platform
from cancellist.worker.platform.client import PlatformClient

_NOWHERE = "CANCELLIST-DOCTOR"
_ANSWER_S = 10.0
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account as the settings have it; `wording` names its settings, `version` that of the platform's API."""

    name: str
    url: str
    wording: SettingNames
    key: str | None = field(repr=False)
    version: str


def subscription(settings: Settings, name: str) -> Subscription:
    """An account that is configured.

    Raises:
        SettingsError: the file that is to hold its key holds none.
    """
    own = settings.of(name)
    return Subscription(name, own.api_url, settings.wording(name), settings.key(name), own.api_version)


def transport(account: Subscription) -> CheckResult:
    """Whether what is said to the platform is read by nobody else."""
    check, parts = f"tls {account.name}", urlsplit(account.url)
    if parts.scheme == "https":
        return ok(check, f"{account.url}: TLS, its certificate is verified")
    if is_loopback(parts.hostname or ""):
        return ok(check, f"{account.url}: on this machine")
    return warning(check, f"{account.url}: no TLS", "references can be read and changed on the way",
                   f"use https:// in {account.wording.url}")  # fmt: skip


def deallocation(account: str) -> CheckResult:
    """What it means that consignments are deallocated first."""
    return warning(
        f"deallocating {account}",
        "DEALLOCATE_FIRST takes the allocation of a consignment before it is cancelled",
        "where the cancelling call then fails, the consignment stays open and without its carrier",
        "leave it off unless the platform refuses to cancel what is allocated; each state is read first, which costs a "
        "read for each reference",
    )


async def key(account: Subscription) -> CheckResult:
    """Whether the platform answers, and takes the key."""
    async with PlatformClient(account.url, account.key, timeout_s=_ANSWER_S, version=account.version) as client:
        return judged(account, await client.status(_NOWHERE))


def judged(account: Subscription, answer: Answer | Failure) -> CheckResult:
    """What the platform's answer says of the key."""
    check, mend_url = f"key {account.name}", f"mend {account.wording.url}"
    match answer:
        case Failure(reason=reason) if _UNTRUSTED in reason:
            return failed(check, f"{account.url} shows a certificate that is not trusted ({reason})", "no call is made",
                          f"name its authority by SSL_CERT_FILE, or {mend_url}")  # fmt: skip
        case Failure(reason=reason):
            start = "start it with `cancellist sandbox`, or " if account.url == LOCAL_SANDBOX else ""
            return failed(check, f"{account.url} does not answer ({reason})", "nothing is cancelled",
                          f"{start}{mend_url}; see to the network and its proxies")  # fmt: skip
        case Answer(status=HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN as status):
            return failed(
                check,
                f"{account.url} refuses the key (HTTP {status})",
                "nothing is cancelled",
                _mend_key(account.wording),
            )
        case Answer(status=status) if status in _BUSY:
            return warning(check, f"{account.url} answers HTTP {status}", "whether it takes the key cannot be told now",
                           "try again in a moment")  # fmt: skip
        case Answer(status=HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST as status, body=dict() as body) if of_platform(
            body
        ):
            known = "takes the key" if account.key else "wants no key"
            return ok(check, f"{account.url} {known} (HTTP {status} for a consignment that is not there)")
        case Answer(status=status):
            return failed(check, f"{account.url} answers HTTP {status}, but not as the platform does",
                          "a proxy or a gateway answers in its place: it would not be believed", mend_url)  # fmt: skip


def _mend_key(wording: SettingNames) -> str:
    if wording.key_in_file:
        return f"write the subscription key of this host into the file that {wording.key} names"
    return f"set {wording.key} to the subscription key of this host"
