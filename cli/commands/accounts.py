"""`cancellist accounts`: the platform subscriptions, and how each stands."""

from typing import Annotated

import typer


def accounts(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List the accounts: those in these settings, those that workers serve, and those that have had a job.

    Host and limits are those of the settings here; the rest is asked of the server.

    Example: cancellist accounts --json
    """
    from cancellist.cli.actions.accounts import show_accounts

    show_accounts(as_json=as_json)
