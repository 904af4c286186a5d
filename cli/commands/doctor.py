"""`cancellist doctor`: whether all that cancellist stands on is fit, and how to mend what is not."""

from typing import Annotated

import typer

from cancellist.jobs.roles import Role


def doctor(
    role: Annotated[Role, typer.Option(help="What the server's user must be allowed to do.")] = Role.WORKER,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check settings, server, permissions, platform and this machine; say what to mend.

    Nothing is changed, and nothing is cancelled: of the platform it reads the state of a consignment that is not there.
    Exit status 1 where something must be mended; a warning does not fail.

    Example: cancellist doctor --json
    """
    from cancellist.cli.actions.doctor import report, run

    findings = run.examine(role)
    report.show(findings, as_json=as_json)
    raise typer.Exit(report.exit_status(findings))
