"""`cancellist stop`: stop all accounts at once."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson, text


def stop(
    reason: Annotated[str | None, typer.Option(callback=text, help="Why. It is kept, and shown to all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop all accounts at once, also those that get their first job later. It does not ask.

    Once the command has answered, no worker starts a call. Calls in flight end normally. `cancellist resume --all`
    lets all accounts go on.

    Example: cancellist stop --reason "the wrong list"
    """
    from cancellist.cli.actions import stop as action

    action.stop(reason, as_json=as_json)
