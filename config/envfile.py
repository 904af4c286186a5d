"""Reads `.env` completely, or refuses it.

python-dotenv skips a line that it cannot read, and an unclosed quote takes the lines below into its value, so a setting
can get lost silently. Here both are errors that name the file and the line.
"""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from cancellist.config import setting_names
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.escaping import shown

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_OURS = re.compile(rf"^[^\S\n]*(?:export\s+)?{setting_names.PREFIX}\w+[^\S\n]*=", re.IGNORECASE | re.MULTILINE)
_FORM = "write NAME=VALUE, or # before a comment"
_UNCLOSED = "a quote that begins here is not closed on the same line"
_LINE_END = re.compile(r"\r\n|\r")


class _Entry(NamedTuple):
    line: int
    name: str
    value: str


def parse(path: Path, text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what the file sets, in its order.

    Args:
        path: the file.
        text: its content.
        environment: values for `${NAME}` that the file does not set itself.

    Raises:
        SettingsError: a line is not NAME=VALUE, a quote is not closed, or one of our settings is set twice.
    """
    found: dict[str, str] = {}
    at: dict[str, int] = {}
    for entry in _entries(path, _LINE_END.sub("\n", text)):
        ours = entry.name.upper()
        if ours.startswith(setting_names.PREFIX):
            if ours in at:
                raise SettingsError(
                    f"{path}, line {entry.line}: {ours} is set in line {at[ours]} too: keep one of them"
                )
            at[ours] = entry.line
        found[entry.name] = _resolved(path, entry, {**environment, **found})
    return found


def _entries(path: Path, text: str) -> Iterator[_Entry]:
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string
        line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
        if binding.error:
            raise SettingsError(f"{path}, line {line}: {_fault(written)}")
        if binding.key is not None:
            yield _entry(path, line, binding)


def _entry(path: Path, line: int, binding: Binding) -> _Entry:
    name, value = binding.key or "", binding.value
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{path}, line {line}: the text before = is not a name: {_FORM}")
    if value is None:
        raise SettingsError(f"{path}, line {line}: has no =: {_FORM}")
    if "\n" in value and _OURS.search(value):
        raise SettingsError(f"{path}, line {line}: {_UNCLOSED}")
    return _Entry(line, name, value)


def _fault(written: str) -> str:
    """Returns why a line cannot be read. The line may hold a secret, so the text does not show it."""
    value = written.partition("=")[2].lstrip()
    if value[:1] in {'"', "'"}:
        closed = value[:1] in value.splitlines()[0][1:]
        return f"there is more text after the closing quote: {_FORM}" if closed else _UNCLOSED
    return f"cannot be read: {_FORM}"


def _resolved(path: Path, entry: _Entry, known: Mapping[str, str]) -> str:
    atoms = list(parse_variables(entry.value))
    if entry.name.upper().startswith(setting_names.PREFIX):
        for atom in atoms:
            if isinstance(atom, Variable) and atom.default is None and atom.name not in known:
                raise SettingsError(
                    f"{path}, line {entry.line}: {shown(entry.name)} takes a variable in ${{...}} that is not set"
                )
    return "".join(atom.resolve(known) for atom in atoms)
