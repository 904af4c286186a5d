import sys

import typer

from cancellist.sandbox.command import CannotListenError, sandbox

try:
    typer.run(sandbox)
except CannotListenError as error:
    typer.echo(str(error), err=True)
    sys.exit(error.exit_code)
