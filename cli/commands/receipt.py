"""`cancellist receipt`: an account of what was done for a job, signed, for anybody to check."""

from typing import Annotated

import typer

from cancellist.cli import completion
from cancellist.cli.arguments import OutputFile, file_name, job_id

_Job = Annotated[
    str | None,
    typer.Argument(
        metavar="JOB", callback=job_id, autocompletion=completion.jobs, help="The id of a job that has ended."
    ),
]
_Proof = Annotated[
    str | None,
    typer.Option(metavar="REFERENCE", help="Write the receipt with the proof that it covers this result."),
]
_Every = Annotated[
    bool, typer.Option("--all", help="Write all receipts that were made, one a line, instead of one job's.")
]
_NewKey = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        callback=file_name,
        help="Make a key that signs receipts, in this file, and its public key in FILE.pub, and do nothing else.",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document, as without it.")]


def receipt(
    job: _Job = None,
    proof: _Proof = None,
    every: _Every = False,
    new_key: _NewKey = None,
    output: OutputFile = None,
    as_json: _AsJson = False,
) -> None:
    """Write the receipt of a job that has ended.

    A receipt says who wanted the job and why, when it ran, what came of it, and what was done to it. One hash in it
    stands for every result. `cancellist verify` checks it without the server. It is made once, and chained to the
    receipt before it. It is signed where CANCELLIST_RECEIPT_KEY_FILE is set.

    Example: cancellist receipt 6w4h0v2m1x3q --output receipt.json
    """
    from cancellist.cli.actions import receipt as actions

    if sum((job is not None, every, new_key is not None)) != 1:
        raise typer.BadParameter("give one of JOB, --all and --new-key")
    if proof is not None and job is None:
        raise typer.BadParameter("--proof is for one JOB")
    if output is not None and new_key is not None:
        raise typer.BadParameter("give either --output or --new-key, not both")
    if new_key is not None:
        actions.make_key(new_key, as_json=as_json)
    elif job is not None:
        actions.write_receipt(job, proof, output)
    else:
        actions.write_all(output)
