"""`cancellist serve`: the HTTP API."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; else CANCELLIST_SERVE_HOST.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Where to listen, 0 takes any free port; else CANCELLIST_SERVE_PORT."),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="A certificate with its chain, in PEM: to speak https.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The key of the certificate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document once it listens.")] = False,
) -> None:
    """Run the HTTP API until it is stopped.

    Callers need a token: `cancellist token` makes one. Without CANCELLIST_API_TOKENS it serves this machine alone, with
    a token of its own, which it shows on standard error.

    Ctrl-C and SIGTERM end it gracefully: requests are finished first.

    Example: cancellist serve --port 8088
    """
    from cancellist.cli.actions.serve import Where, run

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("give --tls-cert and --tls-key together")
    run(Where(host, port, tls_cert, tls_key), as_json=as_json)
