"""`cancellist token`: makes a token for the HTTP API."""

import sys
from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson
from cancellist.cli.terminal import emit, say
from cancellist.jobs.access import Access, Token, digest_of, parse_name

_BYTES = 32
_PREFIX = "cancellist_"
"""So that whoever searches files for secrets knows one."""


def _name(value: str) -> str:
    try:
        return parse_name(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", callback=_name, help="Who will call with it; not secret.")],
    role: Annotated[list[Access], typer.Option(help="What they may do; repeatable.")],
    as_json: AsJson = False,
) -> None:
    """Make a token for the HTTP API, and the line that goes into the settings.

    The token is shown once, on standard output. The settings keep only its digest.

    Example: cancellist token upstream --role submit --role read
    """
    import secrets

    made = f"{_PREFIX}{secrets.token_urlsafe(_BYTES)}"
    kept = Token(name, frozenset(role), digest_of(made))
    if as_json:
        roles = [one.value for one in Access if one in kept.roles]
        emit({"name": name, "roles": roles, "token": made, "setting": kept.setting})
        return
    sys.stdout.write(f"{made}\n")
    say(f"keep it now: it is not shown again. Add to CANCELLIST_API_TOKENS (commas between several): {kept.setting}")
