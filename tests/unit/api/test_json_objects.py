"""A JSON object that no text or number of ours can hold is refused in one line, which can be sent."""

import json

import pytest

from cancellist.api.job_changes import JobChange
from cancellist.api.job_request import parse_order
from cancellist.api.json_object import parse_object
from cancellist.api.problems import ProblemError, of_error
from cancellist.jobs.errors import InputError

HALF = "\\ud800"
"""Half a surrogate pair as JSON can write it, and UTF-8 cannot."""
DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "text",
    [f'{{"{HALF}": 1, "{HALF}": 2}}', f'{{"{HALF}": 1}}', f'{{"priority": "{HALF}"}}', '{"a": 1, "a": 2}',
     f'{{"priority": {DIGITS}}}', f'{{"priority": -{DIGITS}}}', f'{{"priority": [{DIGITS}]}}', '{"priority": 1e999}',
     '{"priority": NaN}', '{"priority": ' + "[" * 100_000, '{"priority": "\xff"}'],
    ids=lambda one: one[:30],
)  # fmt: skip
def test_what_cannot_be_held_is_a_problem_that_can_be_sent(text: str) -> None:
    with pytest.raises((InputError, ProblemError)) as raised:
        parse_object(text.encode("latin-1"), JobChange)
    found = raised.value if isinstance(raised.value, ProblemError) else of_error(raised.value)
    answer = found.response("id")
    assert answer.status_code == 422
    assert json.loads(bytes(answer.body))["detail"]


def test_a_reference_that_is_no_text_is_one_entry_among_others_as_in_an_array() -> None:
    order = parse_order(f'{{"references": ["EC-000-000-001", "{HALF}", "\u00e9"]}}'.encode())
    assert json.loads(order.document()) == ["EC-000-000-001", "\ud800", "\u00e9"]
