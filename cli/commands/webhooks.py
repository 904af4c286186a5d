"""`cancellist webhooks`: who is told of events over HTTP, and how that goes."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import Command, Group, account_name, outcomes

_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Webhook = Annotated[str, typer.Argument(metavar="ID", help="The id of the webhook; `cancellist webhooks` lists them.")]

webhooks = typer.Typer(cls=Group, invoke_without_command=True)


@webhooks.callback()
def show(ctx: typer.Context, as_json: _AsJson = False) -> None:
    """List the webhooks, or change one.

    A webhook is an address that is told of events by signed requests (Standard Webhooks): the end of jobs, and results
    with chosen outcomes. Workers send them. URLs are shown without what may be secret in them.

    Example: cancellist webhooks
    """
    if ctx.invoked_subcommand is None:
        from cancellist.cli.actions.webhooks import show_webhooks

        show_webhooks(as_json=as_json)


@webhooks.command(cls=Command)
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the events go: https.")],
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="job.ended, job.halted, job.approval_wanted (these by default), job.results or receipt.created; "
            "repeatable, or with commas.",
        ),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OUTCOME",
            autocompletion=completion.outcomes,
            help="Tell results with these outcomes; repeatable, or with commas between.",
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            callback=account_name, autocompletion=completion.accounts, help="Only of this account. Default: of all."
        ),
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Add a webhook: what happens from now on is told.

    Its signing secret is printed once, on standard output. CANCELLIST_WEBHOOK_KEY must be set, here and for the
    workers.

    Example: cancellist webhooks add https://example.com/hooks --on job.ended --outcome failed,unconfirmed
    """
    from cancellist.cli.actions import webhooks as actions

    actions.add(url, on or [], outcomes(outcome), account, as_json=as_json)


@webhooks.command(cls=Command)
def remove(webhook: _Webhook, as_json: _AsJson = False) -> None:
    """Remove a webhook with its deliveries; what waits is not sent any more.

    Example: cancellist webhooks remove wh_6w4h0v2m1x
    """
    from cancellist.cli.actions import webhooks as actions

    actions.remove(webhook, as_json=as_json)


@webhooks.command(cls=Command)
def enable(webhook: _Webhook, as_json: _AsJson = False) -> None:
    """Enable a webhook that was disabled: it goes on where it stopped.

    Example: cancellist webhooks enable wh_6w4h0v2m1x
    """
    from cancellist.cli.actions import webhooks as actions

    actions.enable(webhook, as_json=as_json)


@webhooks.command(cls=Command)
def rotate(webhook: _Webhook, as_json: _AsJson = False) -> None:
    """Give a webhook a new secret, which is printed once. For 24 hours the old one signs, too.

    Example: cancellist webhooks rotate wh_6w4h0v2m1x
    """
    from cancellist.cli.actions import webhooks as actions

    actions.rotate(webhook, as_json=as_json)


@webhooks.command(cls=Command)
def deliveries(
    webhook: _Webhook,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    as_json: _AsJson = False,
) -> None:
    """List the last deliveries of a webhook, newest first.

    Example: cancellist webhooks deliveries wh_6w4h0v2m1x --limit 5
    """
    from cancellist.cli.actions import webhooks as actions

    actions.deliveries(webhook, limit, as_json=as_json)


@webhooks.command(cls=Command)
def replay(
    webhook: _Webhook,
    delivery: Annotated[
        str | None, typer.Argument(metavar="DELIVERY", help="One delivery. Without it: all that were given up.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="All events since then instead, but for receipts: RFC 3339, or a span back such as 2h."
        ),
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Send deliveries once more. The receiver knows a repeat by its webhook-id.

    Example: cancellist webhooks replay wh_6w4h0v2m1x --since 2h
    """
    from cancellist.cli.actions import webhooks as actions

    if delivery is not None and since is not None:
        raise typer.BadParameter("give either a DELIVERY or --since, not both")
    actions.replay(webhook, delivery, since, as_json=as_json)


@webhooks.command("test", cls=Command)
def try_out(webhook: _Webhook, as_json: _AsJson = False) -> None:
    """Send an event that tells nothing, and wait for what comes of it, 20 seconds at most.

    Exit status 0 if it is delivered, else 1. A worker must run.

    Example: cancellist webhooks test wh_6w4h0v2m1x
    """
    from cancellist.cli.actions import webhooks as actions

    raise typer.Exit(actions.try_out(webhook, as_json=as_json))
