"""What users type: refused at the edge where it is no text, and read as it is meant where that is sure."""

import re
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from cancellist.cli import completion
from cancellist.jobs.model import Outcome

_ID: Final = re.compile(r"[0-9A-Za-z]{1,12}")
_AROUND: Final = "\ufeff\u200b"
"""What has no width and comes along when an id is copied; it is no white space to Python."""


class Command(TyperCommand):
    """A command whose arguments are text; a file's name may be any bytes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses them.

        Raises:
            typer.BadParameter: one is no UTF-8 text.
        """
        rest = super().parse_args(ctx, args)
        param: Any
        for param in self.get_params(ctx):
            if (param.metavar or "").startswith("FILE"):
                continue
            value = ctx.params.get(param.name)
            for text in value if isinstance(value, list | tuple) else [value]:
                if isinstance(text, str) and not _is_text(text):
                    raise typer.BadParameter(f"{text!r} is not UTF-8 text", ctx=ctx, param=param)
        return rest


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def job_id(value: str | None) -> str | None:
    """A job's id as the ledger has it: in small letters, without blanks around it.

    Raises:
        typer.BadParameter: it is empty, as a variable that is not set leaves it.
    """
    if value is None:
        return None
    bare = value.strip().strip(_AROUND).strip()
    if not bare:
        raise typer.BadParameter("it is empty: a job's id is wanted, such as `cancellist jobs` lists")
    return bare.lower() if _ID.fullmatch(bare) else bare


def account_name(value: str | None) -> str | None:
    """An account's name.

    Raises:
        typer.BadParameter: it is empty, as a variable that is not set leaves it.
    """
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: an account's name is wanted, such as `cancellist accounts` lists")
    return value.strip() if value else value


def file_name(value: str | None) -> str | None:
    """The name of a file to be written.

    Raises:
        typer.BadParameter: it is empty.
    """
    if value is not None and not value:
        raise typer.BadParameter("it is empty: a file's name is wanted, or - for standard output")
    return value


def outcomes(values: list[str] | None) -> frozenset[Outcome]:
    """Outcomes, named one by one or several at once, with commas between them.

    Raises:
        typer.BadParameter: one is none.
    """
    if not values:
        return frozenset()
    found = set()
    for word in filter(None, (word.strip().lower() for value in values for word in value.split(","))):
        try:
            found.add(Outcome(word.replace("-", "_")))
        except ValueError:
            raise typer.BadParameter(
                f"{word!r} is no outcome; there are {', '.join(Outcome)}", param_hint="'--outcome'"
            ) from None
    if not found:
        raise typer.BadParameter(f"it names none; there are {', '.join(Outcome)}", param_hint="'--outcome'")
    return frozenset(found)


Job = Annotated[
    str, typer.Argument(metavar="JOB", callback=job_id, autocompletion=completion.jobs, help="The job's id.")
]
Account = Annotated[
    str, typer.Option(callback=account_name, autocompletion=completion.accounts, help="The platform subscription.")
]
