"""A wrong value of any option of any command: one line that names the option and says what is accepted."""

import re
from collections.abc import Iterator
from enum import Enum
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from typer.main import get_command

from cancellist.cli import main
from cancellist.cli.main import COMMANDS, app_for

PYDANTIC = re.compile(r"Input should|should be|should have|unable to|[Vv]alidation|Value error|wanted here")
GIVEN = {"--json", "--help"}
WRONG_TEXTS = {
    "--deadline": "soon", "--start-at": "soon", "--max-invalid": "lots", "--outcome": "lost", "--delimiter": "xx",
    "--fault": "bad=1", "--at": "bad", "--mix": "Nowhere=1", "--account": "", "--job": "",
    "--hold": "soon", "--max-refused": "lots", "--max-unconfirmed": "lots", "--state": "lost", "--since": "soon",
    "--override": "",
}  # fmt: skip
"""A wrong value of each option that takes a text of a form."""
FREE = {
    "--reason", "--requested-by", "--idempotency-key", "--column", "--output", "--host", "--api-key", "--prefix",
    "--tls-cert", "--tls-key", "--plan", "--ignore-filter", "--proof", "--new-key", "--key", "--results",
    "--result", "--head", "--reference",
    "--where",  # a filter is checked like what is in a file: exit status 1, tests/integration/cli/test_enqueue_where.py
}  # fmt: skip
"""Options that take any text."""


def kind_of(param: Any) -> Any:
    annotation = param.type_descriptor.annotation
    while True:
        parts = [part for part in get_args(annotation) if part is not NoneType]
        if get_origin(annotation) is Literal or not parts:
            return annotation
        annotation = parts[0]


def options() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        command: Any = get_command(app_for([name]))
        for param in getattr(command, "commands", {}).get(name, command).params:
            if param.opts[0].startswith("-") and not param.is_flag and not GIVEN & {*param.opts}:
                yield name, param


def wrong_values(param: Any) -> list[str]:
    kind = kind_of(param)
    if kind in {int, float}:
        return ["soon", "1e999x", *(["-5"] if param.min is not None else []), *(["9e9"] if kind is int else [])]
    if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return ["lost"]
    return [WRONG_TEXTS[param.opts[0]]] if param.opts[0] in WRONG_TEXTS else []


ALL = [(name, param.opts[0], value) for name, param in options() for value in wrong_values(param)]


def test_each_option_is_tried_or_takes_any_text() -> None:
    untried = {param.opts[0] for _, param in options() if not wrong_values(param)}
    assert untried <= FREE
    assert len(ALL) > 60


@pytest.mark.parametrize(("command", "option", "value"), ALL)
def test_a_wrong_value_is_answered_in_our_own_words(
    capsys: pytest.CaptureFixture[str], command: str, option: str, value: str
) -> None:
    arguments = {"enqueue": ["-"], "token": ["anna"], "explain": ["j", "r"]}.get(command, [])
    arguments = arguments or (["j"] if command in {"status", "results", "abort", "retry", "update"} else [])
    assert main._run([command, *arguments, option, value]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert option in told
    assert not PYDANTIC.search(told), told
