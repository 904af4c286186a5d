"""Parses the arguments that several commands share, and refuses those that are not text."""

import re
import time
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from cancellist.cli import completion
from cancellist.jobs.escaping import says_nothing
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import LISTED, JobState, Outcome
from cancellist.jobs.times import parse_since_ms, parse_when_ms

_ID: Final = re.compile(r"[0-9A-Za-z]{1,12}")
_LINE_END: Final = re.compile(r"(?<!\n)\n(?!\n)")
_MAX_TEXT: Final = 500
_AROUND: Final = "\ufeff\u200b"
"""Characters of no width that a copied id may carry. `str.strip` leaves them."""


class Command(TyperCommand):
    """A command whose arguments must be text. Only names of files may be any bytes."""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:  # noqa: A002 - typer's name
        # A paragraph becomes one line, so that a terminal of any width breaks it where it has to.
        super().__init__(*args, help=_LINE_END.sub(" ", help) if help else None, **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments.

        Raises:
            typer.BadParameter: an argument is not UTF-8 text.
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


class Group(TyperGroup):
    """A command with commands of its own."""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:  # noqa: A002 - typer's name
        super().__init__(*args, help=_LINE_END.sub(" ", help) if help else None, **settings)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def job_id(value: str | None) -> str | None:
    """Returns a job's id as the ledger stores it: in lower case, without spaces around it.

    Raises:
        typer.BadParameter: the id is empty, for example because a shell variable is not set.
    """
    if value is None:
        return None
    bare = value.strip().strip(_AROUND).strip()
    if not bare:
        raise typer.BadParameter("it is empty: give a job's id; `cancellist jobs` lists them")
    return bare.lower() if _ID.fullmatch(bare) else bare


def account_name(value: str | None) -> str | None:
    """Returns an account's name without spaces around it.

    Raises:
        typer.BadParameter: the name is empty, for example because a shell variable is not set.
    """
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty: give an account's name; `cancellist accounts` lists them")
    return value.strip() if value else value


def file_name(value: str | None) -> str | None:
    """Returns the name of a file to write.

    Raises:
        typer.BadParameter: the name is empty.
    """
    if value is not None and not value:
        raise typer.BadParameter("it is empty: give a file's name, or - for standard output")
    return value


def text(value: str | None) -> str | None:
    """Returns a text that is stored with a job.

    Raises:
        typer.BadParameter: it is too long.
    """
    if value is not None and len(value) > _MAX_TEXT:
        raise typer.BadParameter(f"it is longer than {_MAX_TEXT} characters")
    return value


def limit(value: str | None) -> str | None:
    """Returns the text of a limit.

    Raises:
        typer.BadParameter: it is neither a number nor a share.
    """
    try:
        if value is not None:
            parse_limit(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return value


def when(value: str | None) -> str | None:
    """Returns the text of a time.

    Raises:
        typer.BadParameter: it is no time.
    """
    try:
        if value is not None:
            parse_when_ms(value, now_ms=time.time_ns() // 1_000_000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    return value


def since(value: str | None) -> str | None:
    """Returns the text of a time in the past.

    Raises:
        typer.BadParameter: it is no time.
    """
    try:
        if value is not None:
            parse_since_ms(value, now_ms=time.time_ns() // 1_000_000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    return value


def states(values: list[str] | None) -> frozenset[JobState]:
    """Parses states of jobs. Each value holds one state, or several with commas between them.

    Raises:
        typer.BadParameter: a word is not a state, or there is none.
    """
    words = [word.strip().lower() for value in values or () for word in value.split(",") if word.strip()]
    for word in words:
        if word not in LISTED:
            raise typer.BadParameter(
                f"{word!r} is not a state; give one of {', '.join(LISTED)}", param_hint="'--state'"
            )
    if values and not words:
        raise typer.BadParameter(f"it names no state; give one of {', '.join(LISTED)}", param_hint="'--state'")
    return frozenset(map(JobState, words))


def outcomes(values: list[str] | None) -> frozenset[Outcome]:
    """Parses outcomes. Each value holds one outcome, or several with commas between them.

    Raises:
        typer.BadParameter: a word is not an outcome, or there is none.
    """
    if not values:
        return frozenset()
    found = set()
    for word in filter(None, (word.strip().lower() for value in values for word in value.split(","))):
        try:
            found.add(Outcome(word.replace("-", "_")))
        except ValueError:
            raise typer.BadParameter(
                f"{word!r} is not an outcome; give one of {', '.join(Outcome)}", param_hint="'--outcome'"
            ) from None
    if not found:
        raise typer.BadParameter(f"it names no outcome; give one of {', '.join(Outcome)}", param_hint="'--outcome'")
    return frozenset(found)


def host_name(value: str | None) -> str | None:
    """Returns the name of a host.

    Raises:
        typer.BadParameter: it is empty, for example because a shell variable is not set: then it would guard nothing.
    """
    if value is not None and says_nothing(value):
        raise typer.BadParameter("it is empty: give the host's name, or leave the option out")
    return text(value)


def reason_of(value: str | None) -> str | None:
    """Returns a reason.

    Raises:
        typer.BadParameter: it is empty.
    """
    if value is not None and says_nothing(value):
        raise typer.BadParameter("it is empty: say why")
    return text(value)


Job = Annotated[
    str, typer.Argument(metavar="JOB", callback=job_id, autocompletion=completion.jobs, help="The id of the job.")
]
Host = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        callback=host_name,
        help="The platform's host, if this installation has never called it: a script confirms it so, by its name.",
    ),
]
Account = Annotated[
    str,
    typer.Option(
        callback=account_name, autocompletion=completion.accounts, help="The account (platform subscription)."
    ),
]
Override = Annotated[
    str | None,
    typer.Option(
        metavar="REASON",
        callback=reason_of,
        help="Pass the guards of the account, and record why. CANCELLIST_TOKEN must have the role approve.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OutputFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        callback=file_name,
        help="Write to this file, which appears once it is complete; - is standard output.",
    ),
]
