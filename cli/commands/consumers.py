"""`cancellist consumers`: lists the consumer groups of the results stream, and removes one."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson


def consumers(
    action: Annotated[
        str | None, typer.Argument(metavar="[remove", help="Remove a group that nobody reads any more.")
    ] = None,
    group: Annotated[str | None, typer.Argument(metavar="GROUP]", help="With remove: its name.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With remove: do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the consumer groups of the results stream, or remove one.

    What a group has not read and acknowledged is not trimmed. A group that nobody reads any more therefore fills the
    server, until it is removed.

    Example: cancellist consumers remove billing
    """
    from cancellist.cli.actions import consumers as actions

    if action is None:
        actions.show_groups(as_json=as_json)
    elif action != "remove":
        raise typer.BadParameter(f"{action!r} is none; there is remove")
    elif not group or not group.strip():
        raise typer.BadParameter("give the name of the group to remove; `cancellist consumers` lists them")
    else:
        actions.remove_group(group, sure=yes, as_json=as_json)
