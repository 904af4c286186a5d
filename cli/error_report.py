"""Reports errors: one line on standard error, or one JSON object with `--json`, and an exit status.

An unexpected error is one line too. Its traceback goes to a temporary file, which the line names and only this user can
read. With `CANCELLIST_DEBUG=1` every error's traceback goes to standard error. Neither holds a secret.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import typer

from cancellist.cli import terminal, wrong_options
from cancellist.jobs.errors import CancellistError, CountMismatchError, GuardError, NewHostError, PlanError
from cancellist.jobs.escaping import cut, plain, plain_lines

NAME: Final = "cancellist"
DEBUG: Final = "CANCELLIST_DEBUG"

FAILED, USAGE, GUARDED, INTERRUPTED = 1, 2, 5, 130

_HINTS: Final = {
    "input": "`cancellist enqueue --help` says which files it reads",
    "no_references": "`cancellist enqueue --help` says which files it reads",
    "output": "choose another place with --output, or free some space",
    "settings": "`cancellist doctor` checks the settings",
    "job_state": "`cancellist status JOB` shows its state",
    "results_gone": "CANCELLIST_RESULTS_KEEP says how long they are kept",
    "server": "`cancellist doctor` checks the server",
    "server_unavailable": "`cancellist doctor` checks the server",
    "server_refused": "`cancellist doctor` checks the server",
    "server_unfit": "`cancellist doctor` checks the server",
    "server_full": "wait until jobs have ended, or give the server more memory",
    "approval_mismatch": "`cancellist status JOB --json` has both",
    "forbidden": "set CANCELLIST_TOKEN to a token that has the role for it",
    "not_permitted": "`cancellist accounts` shows how it stands",
    "search": "try again; if it stays, hand in a file of references",
    "receipt": "ask for another copy, or for the receipt of `cancellist receipt JOB`",
    "declined": "with --yes the command does not ask",
}
"""Hint by error code, for errors without a hint of their own."""
_ELSE: Final = "`cancellist --help` lists the commands"
_LONGEST: Final = 300
"""Characters of an unexpected error that are shown: its text may hold a whole request."""
_LONGEST_TRACE: Final = 100_000
_HIDDEN: Final = "***"
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as it is reported. `hint` is None if the message says everything."""

    status: int
    code: str
    message: str
    hint: str | None


class DeclinedError(CancellistError):
    """The user was asked to confirm, and did not."""

    code = "declined"


class UnansweredError(CancellistError):
    """The user could not be asked to confirm, or gave an answer that is neither yes nor no."""

    code = "usage"

    def __init__(self, message: str, hint: str = "answer y or n, or give --yes, which reads nothing") -> None:
        super().__init__(message, hint=hint)


def wants_json(arguments: Sequence[str]) -> bool:
    """Returns whether the arguments ask for JSON. The arguments need not be valid."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Reports an error and returns the exit status."""
    error = _inmost(error)
    debug = os.environ.get(DEBUG, "").strip().lower() not in {"", "0", "false", "no"}
    told = _told(error, arguments)
    if told is None:
        told = _unforeseen(error, keep=not debug)
    if debug:
        sys.stderr.write(_trace(error))
    if wants_json(arguments):
        sys.stderr.write(_document(told, terminal.MESSAGES.take()))
    else:
        terminal.MESSAGES.release()
        said = f"{told.message}; {told.hint}" if told.hint else told.message
        sys.stderr.write(f"{NAME}: {plain(said)}\n")
    return told.status


def _inmost(error: BaseException) -> BaseException:
    """Returns the first error inside nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(error: BaseException, arguments: Sequence[str]) -> ErrorReport | None:
    """Returns the report of an expected error; None for an unexpected one."""
    match error:
        case UnansweredError():
            return ErrorReport(USAGE, error.code, error.message, error.hint)
        case GuardError() | NewHostError() | PlanError() | CountMismatchError():
            return ErrorReport(GUARDED, error.code, error.message, error.hint)
        case CancellistError():
            return ErrorReport(FAILED, error.code, error.message, error.hint)
        case typer.TyperException() if error.exit_code == USAGE:
            message = re.sub(r"\s*\n\s*", " ", wrong_options.message(error)).rstrip(".")
            message = message.replace(": Value error, ", ": ", 1)
            return ErrorReport(USAGE, "usage", message, f"see `{_command(error, arguments)} --help`")
        case typer.TyperException():
            code = getattr(error, "code", CancellistError.code)
            return ErrorReport(error.exit_code, code, error.format_message(), getattr(error, "hint", None))
        case typer.Abort():
            return ErrorReport(FAILED, DeclinedError.code, "nothing was done", None)
        case OSError() if error.strerror:
            what = f": {error.filename}" if error.filename is not None else ""
            return ErrorReport(FAILED, "system", f"the operating system reports: {error.strerror}{what}", None)
        case _:
            return None


def _command(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Returns the command that was used wrongly, as a user types it."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path)
    return " ".join([NAME, *arguments[:1]])


def _document(told: ErrorReport, notes: list[str]) -> str:
    """Returns the JSON document of an error. `notes` has the messages that were held back before it."""
    import json  # noqa: PLC0415 - only for errors

    hint = told.hint or _HINTS.get(told.code, _ELSE)
    error: dict[str, object] = {"code": told.code, "message": plain(told.message), "hint": plain(hint)}
    if notes:
        error["notes"] = notes
    return json.dumps({"error": error}) + "\n"


def _unforeseen(error: BaseException, *, keep: bool) -> ErrorReport:
    what = _without_secrets(f"{type(error).__name__}: {error}").partition("\n")[0]
    path = _kept(error) if keep else None
    hint = f"please report it with {path}" if path else f"set {DEBUG}=1 to see where" if keep else None
    return ErrorReport(FAILED, "internal", f"this is a bug in {NAME}: {cut(what, _LONGEST)}", hint)


def _kept(error: BaseException) -> str | None:
    """Writes the traceback to a temporary file and returns its path; None if it cannot be written."""
    import tempfile  # noqa: PLC0415 - only for errors

    try:
        with tempfile.NamedTemporaryFile("w", prefix=f"{NAME}-", suffix=".log", delete=False, encoding="utf-8") as file:
            file.write(_trace(error))
            return file.name
    except OSError:
        return None


def _trace(error: BaseException) -> str:
    """Returns the traceback without local variables, secrets and control characters."""
    return plain_lines(_without_secrets("".join(traceback.format_exception(error))))[-_LONGEST_TRACE:]


def _without_secrets(text: str) -> str:
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text


def _secrets() -> Iterator[str]:
    """Yields every secret of the environment and the settings: keys, tokens and passwords in URLs."""
    for name, value in os.environ.items():
        if name.upper().startswith("CANCELLIST_") and re.search(r"KEY|TOKEN|SECRET|PASSWORD", name.upper()):
            yield from filter(None, (value, value.strip()))
        yield from _passwords(value)
    yield from _configured()


def _passwords(url: str) -> Iterator[str]:
    from urllib.parse import unquote  # noqa: PLC0415 - only for errors

    for found in re.finditer(r"://([^/@\s]*):([^/@\s]+)@|[?&]password=([^&\s]+)", url):
        secret = found[2] or found[3]
        yield from (secret, unquote(secret))


def _configured() -> Iterator[str]:
    from pydantic import SecretStr  # noqa: PLC0415 - only for errors

    from cancellist.config.loading import load  # noqa: PLC0415 - as above

    def inside(value: object) -> Iterator[str]:
        match value:
            case SecretStr():
                yield value.get_secret_value()
                yield from _passwords(value.get_secret_value())
            case dict():
                for one in value.values():
                    yield from inside(one)
            case list() | tuple():
                for one in value:
                    yield from inside(one)

    try:
        settings = load(tell=lambda _: None)
        yield from inside(settings.model_dump())
        for account in settings.account_names:
            yield settings.key(account) or ""
    except Exception:  # noqa: BLE001 - settings that cannot be read hold no secret that was used
        return
