"""Names the environment of a platform by its address: the local sandbox, or a host on which calls are real."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

_USUAL_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Environment:
    """Where calls go.

    Attributes:
        host: the platform's host in lower case, with its port if that is unusual.
        is_sandbox: whether it is on this machine, so that nothing real is cancelled.
    """

    host: str
    is_sandbox: bool

    @property
    def kind(self) -> Literal["sandbox", "production"]:
        """The same in one word."""
        return "sandbox" if self.is_sandbox else "production"

    @property
    def words(self) -> str:
        """Its name for people. The two kinds look different also without colours."""
        return f"sandbox {self.host}" if self.is_sandbox else f"PRODUCTION host {self.host}"

    @property
    def style(self) -> str:
        """Its colour."""
        return "green" if self.is_sandbox else "bold red"


def environment_of(url: str) -> Environment:
    """The environment of a platform with this base URL, or of this host."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    host = parts.netloc.lower().removesuffix(_USUAL_PORTS.get(parts.scheme, "\0"))
    return Environment(host, is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
