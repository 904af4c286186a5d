"""Which addresses a webhook may go to: public ones, and those that WEBHOOK_ALLOW names.

Who may add a webhook chooses where this machine connects to. Without this he could reach what only this machine can:
services on it, its network, and the metadata of its cloud.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CLOSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata of clouds
        "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # protocols, documentation
        "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",  # AS112, AMT
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4", "240.0.0.0/4",  # multicast, reserved, broadcast
        "168.63.129.16/32",  # a cloud's own services, on a public address
    )
)  # fmt: skip
_OPEN_V6: Final = ipaddress.ip_network("2000::/3")
"""Global unicast: whatever is not in it is not public."""
_CLOSED_V6: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
    )
)  # fmt: skip
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""Its last 32 bits are an IPv4 address, which is what is reached."""


def parse_address(text: str) -> Address | None:
    """An address as a URL or a resolver has it; None where it is none."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def meant(address: Address) -> Address:
    """The address that is reached: an IPv4 address in the clothes of an IPv6 one is the IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet, which anybody may reach."""
    real = meant(address)
    if isinstance(real, ipaddress.IPv4Address):
        return not any(real in network for network in _CLOSED)
    return real in _OPEN_V6 and not any(real in network for network in _CLOSED_V6)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What WEBHOOK_ALLOW names: hosts, whose addresses and whose plain HTTP are allowed, and networks, likewise."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """What these entries allow.

        Raises:
            ValueError: one is neither a host nor a network.
        """
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                hosts.add(host_name(entry))
        return cls(frozenset(hosts), tuple(networks))

    def host(self, name: str) -> bool:
        """Whether a host is named, so that it may have any address."""
        return bare(name) in self.hosts

    def plain_http(self, name: str) -> bool:
        """Whether http is enough for a host: it is named, or it is an address of a network that is named."""
        address = parse_address(name)
        return self.host(name) if address is None else self._named(address)

    def takes(self, host: str, address: Address) -> bool:
        """Whether a connection may go to this address of this host."""
        return is_public(address) or self.host(host) or self._named(address)

    def refused_literal(self, host: str) -> str | None:
        """Why a host that is an address may not be reached; None where it may, or is a name."""
        address = parse_address(host)
        if address is None or self.takes(host, address):
            return None
        return f"{address} is not a public address"

    def _named(self, address: Address) -> bool:
        both = {address, meant(address)}
        return any(one in network for one in both for network in self.networks if one.version == network.version)


def bare(name: str) -> str:
    """A host's name in the form in which names are compared."""
    return name.strip().rstrip(".").lower()


def host_name(text: str) -> str:
    """The name of a host.

    Raises:
        ValueError: it is none.
    """
    name = bare(text)
    labels = name.split(".")
    if not name or len(name) > 253 or not all(_is_label(label) for label in labels):  # noqa: PLR2004 - RFC 1035
        raise ValueError("must be hosts such as hooks.internal, or networks such as 10.0.0.0/8")
    return name


def is_host(text: str) -> bool:
    """Whether the host of a URL is an address, or a name that no resolver takes for one, as `127.1` is taken."""
    if parse_address(text) is not None:
        return True
    try:
        last = host_name(text).rpartition(".")[2]
    except ValueError:
        return False
    return not last.isdecimal() and not last.startswith("0x")


def _is_label(text: str) -> bool:
    return text.isascii() and all(sign.isalnum() or sign in "-_" for sign in text) and 0 < len(text) <= 63  # noqa: PLR2004
