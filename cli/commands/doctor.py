"""`cancellist doctor`: checks all that cancellist depends on, and says how to fix what is wrong."""

from typing import Annotated

import typer

from cancellist.cli.arguments import AsJson
from cancellist.jobs.roles import Role


def doctor(
    role: Annotated[
        Role, typer.Option(help="The role whose permissions on the Redis server are checked.")
    ] = Role.WORKER,
    as_json: AsJson = False,
) -> None:
    """Check settings, Redis server, platform and this machine.

    Each problem comes with its effect and how to fix it. The command changes nothing and cancels nothing: it reads the
    state of a consignment that does not exist.

    Example: cancellist doctor --json

    Exit status: 1 if a check failed, else 0. A warning is not a failure.
    """
    from cancellist.cli.actions.doctor import report, run

    findings = run.examine(role)
    report.show(findings, as_json=as_json)
    raise typer.Exit(report.exit_status(findings))
