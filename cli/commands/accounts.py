"""`cancellist accounts`: lists the accounts."""

from cancellist.cli.arguments import AsJson


def accounts(as_json: AsJson = False) -> None:
    """List the accounts with their state and limits.

    The list has the accounts of these settings, those that workers serve, and those that have had a job. Host and
    limits come from these settings; all else comes from the Redis server.

    Example: cancellist accounts --json
    """
    from cancellist.cli.actions.accounts import show_accounts

    show_accounts(as_json=as_json)
