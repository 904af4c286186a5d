"""The words of the model, and the pages that explain them."""

import re

import pytest

from cancellist.jobs.model import DONE, OUTCOME_MEANINGS, REFUSED, UNFINISHED, JobState, Outcome
from tests.support import ROOT

PAGE = (ROOT / "docs/reference/outcomes.md").read_text(encoding="utf-8")
OUTCOMES, STATES = PAGE.split("\n## States of a job\n")
DIAGRAM = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## States of a job")[2].partition("## ")[0]


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def test_the_page_of_outcomes_says_what_the_code_says() -> None:
    assert {name: meaning.replace("`", "") for name, meaning in rows(OUTCOMES).items()} == OUTCOME_MEANINGS


def test_every_outcome_has_a_meaning_and_one_kind() -> None:
    assert list(OUTCOME_MEANINGS) == list(Outcome)
    assert sorted([*DONE, *REFUSED, *UNFINISHED]) == sorted(Outcome)


def test_every_state_of_a_job_is_explained() -> None:
    assert set(rows(STATES)) == set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_a_state_is_in_the_diagram(state: JobState) -> None:
    assert re.search(rf"\b{state}\b", DIAGRAM)
