"""`cancellist snapshots`: the records of consignments that were kept before they were cancelled."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import AsJson, file_name, job_id


def snapshots(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", callback=job_id, autocompletion=completion.jobs, help="The id of a job."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="REFERENCE", help="Print the record of this one, as it was before the job called it."),
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            callback=file_name,
            help="Make a key that encrypts records, in this file, and do nothing else.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the records that were kept for a job, or print one of them.

    A job has them where it was handed in with --snapshot, or its account has CANCELLIST_SNAPSHOT on. They are read from
    CANCELLIST_SNAPSHOT_DIR of this machine, with the key in CANCELLIST_SNAPSHOT_KEY_FILE. No server is asked.

    Example: cancellist snapshots 6w4h0v2m1x3q --reference EC-000-05D-1NS
    """
    from cancellist.cli.actions import snapshots as actions

    if (job is None) == (new_key is None):
        raise typer.BadParameter("give either JOB or --new-key")
    if new_key is not None:
        if reference is not None:
            raise typer.BadParameter("--reference is for one JOB")
        actions.make_key(new_key, as_json=as_json)
    elif job is not None and reference is not None:
        actions.show_record(job, reference, as_json=as_json)
    elif job is not None:
        actions.list_job(job, as_json=as_json)
