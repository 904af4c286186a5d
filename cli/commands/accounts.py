"""`cancellist accounts`: the platform subscriptions, and how each stands."""

from typing import Annotated

import typer


def accounts(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List the accounts: those in these settings, those that workers serve, and those that have had a job.

    Host and limits are those of the settings here; the rest is asked of the server.

    Example: cancellist accounts --json
    """
    from cancellist.cli.actions import accounts as standings  # noqa: PLC0415 - only for this command; the others start sooner without it

    standings.accounts(as_json=as_json)
