"""What `cancellist serve` goes by."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from cancellist.config.value_types import Span
from cancellist.jobs.access import Access, Token, parse_name, parse_roles, parse_token

_MIB: Final = 1024 * 1024
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_.~-]+)+", re.ASCII)
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
EVERYBODY: Final = "*"


def split(value: Any) -> Any:
    """The entries of a text with commas between them."""
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value


def _token(value: SecretStr) -> SecretStr:
    parse_token(value.get_secret_value())
    return value


def _own_token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise ValueError("must be one word, as `cancellist token` prints it")
    return SecretStr(text)


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be a path such as /cancellist, without a / at its end")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("must be the name of a header, such as X-Forwarded-User")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be addresses such as 10.0.0.7, or networks such as 10.0.0.0/8") from None


def _user(value: str) -> str:
    _parsed_user(value)
    return value


def _parsed_user(value: str) -> tuple[str, frozenset[Access]]:
    name, parted, roles = value.rpartition(":")
    if not parted:
        raise ValueError("must be NAME:ROLE+ROLE each, such as anna:read+submit, or *:ROLE for everybody else")
    return (EVERYBODY if name.strip() == EVERYBODY else parse_name(name)), parse_roles(roles.split("+"))


_Token = Annotated[SecretStr, AfterValidator(_token)]
_User = Annotated[str, AfterValidator(_user)]
_Network = Annotated[str, AfterValidator(_network)]


class ServeSettings(BaseModel):
    """The settings of the HTTP API."""

    api_tokens: Annotated[list[_Token], BeforeValidator(split)] = Field(
        default_factory=list,
        description="who may call the HTTP API: NAME:ROLE+ROLE:SHA256 each, as `cancellist token` prints it; "
        "comma-separated",
    )
    token: Annotated[SecretStr, AfterValidator(_own_token)] | None = Field(
        None,
        description="your own token on the command line, a secret: its digest is looked up in API_TOKENS, and says who "
        "you are; approve, reject and --override need it",
    )
    serve_host: str = Field(
        "127.0.0.1",
        min_length=1,
        max_length=255,
        description="address on which `serve` listens; 0.0.0.0 lets other machines in",
    )
    serve_port: int = Field(8088, ge=0, le=65_535, description="port on which `serve` listens; 0 takes any free port")
    serve_prefix: Annotated[str, AfterValidator(_prefix)] | None = Field(
        None, description="path under which a reverse proxy shows `serve`, such as /cancellist"
    )
    serve_max_body: int = Field(
        1024 * _MIB,
        ge=1024,
        le=1024 * 1024 * _MIB,
        description="most bytes of a request's body, unpacked; raise it for larger files",
    )
    serve_max_json: int = Field(
        16 * _MIB,
        ge=1024,
        le=256 * _MIB,
        description="most bytes of a body that is one JSON object, which is held in memory",
    )
    serve_max_rows: int = Field(
        5_000_000, ge=1, le=1_000_000_000, description="most entries of one body; raise it for larger jobs"
    )
    serve_max_wait: Span = Field(
        60.0,
        le=3600,
        description="seconds that a request may wait for its job's end; keep it below the timeout of proxies in "
        "between",
    )
    serve_body_wait: Span = Field(
        60.0,
        le=3600,
        description="seconds within which 256 bytes of a body must come, or of an answer be taken",
    )
    serve_max_connections: int = Field(
        512,
        ge=1,
        le=100_000,
        description="most connections at once, of which idle ones give way; raise it for many callers that wait or "
        "follow events",
    )
    serve_rate: float = Field(
        100.0,
        gt=0,
        le=1_000_000,
        description="requests a second that one caller may make, or one address without a known token, and twice as "
        "many at once; raise it for a busy caller",
    )
    serve_user_header: Annotated[str, AfterValidator(_header)] | None = Field(
        None,
        description="header in which an authenticating proxy names the user; believed only from SERVE_TRUSTED_PROXIES",
    )
    serve_user_roles: Annotated[list[_User], BeforeValidator(split)] = Field(
        default_factory=list,
        description="roles of the users that SERVE_USER_HEADER names: NAME:ROLE+ROLE each, * for all others; "
        "comma-separated",
    )
    serve_trusted_proxies: Annotated[list[_Network], BeforeValidator(split)] = Field(
        default_factory=list,
        description="addresses or networks of proxies whose Forwarded headers are believed; comma-separated",
    )

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens that may be used."""
        return tuple(parse_token(one.get_secret_value()) for one in self.api_tokens)

    @property
    def user_roles(self) -> dict[str, frozenset[Access]]:
        """What each user that a proxy names may do; `*` stands for all others."""
        return dict(map(_parsed_user, self.serve_user_roles))

    @property
    def trusted_proxies(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks whose headers are believed."""
        return tuple(map(ipaddress.ip_network, self.serve_trusted_proxies))

    def serve_faults(self, prefix: str) -> Iterator[str]:
        """What of it does not fit together, with the name of the setting, which begins with `prefix`."""
        names = [token.name for token in self.tokens]
        if len(set(names)) < len(names):
            yield f"{prefix}API_TOKENS: two tokens have the same name; the name tells who has called"
        if self.serve_user_header and not self.serve_trusted_proxies:
            yield f"{prefix}SERVE_TRUSTED_PROXIES: must be set where SERVE_USER_HEADER is: anybody could send it else"
        if self.serve_user_roles and not self.serve_user_header:
            yield f"{prefix}SERVE_USER_HEADER: must be set where SERVE_USER_ROLES is"
        if len(self.user_roles) < len(self.serve_user_roles):
            yield f"{prefix}SERVE_USER_ROLES: a name is given twice"
