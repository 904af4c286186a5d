"""Whoever reads an input counts the same: a dry run, a plan and the job that is handed in, in words and in JSON."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

FILES = ROOT / "tests" / "cases" / "files"
NAMES = ("references", "duplicates", "invalid", "blank")
LINES = "EC-VC4-FBM-8GZ\nec-vc4-fbm-8gz\nrubbish\nEC-XUE-ADS-Q5M\nrubbish\n\nEC-0CO-5FZ-7U9 \n=A1\n"
CASES = {  # references, named again, malformed, blank
    "shifted-row.csv": (2, 0, 1, 0),
    "line-items.csv": (2, 0, 0, 3),
    "nbsp.csv": (2, 0, 0, 0),
    LINES: (3, 1, 3, 0),
    "id,reference\n1,EC-VC4-FBM-8GZ\n2,\n3,no\n4,EC-VC4-FBM-8GZ\n": (1, 1, 1, 1),
    '["EC-VC4-FBM-8GZ", "", null, "no", "EC-VC4-FBM-8GZ"]': (1, 1, 2, 1),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("counts")) as desk:
        yield desk


def _of_job(document: dict[str, Any]) -> tuple[int, ...]:
    return (document["total"] - document["invalid"], *(document[name] for name in NAMES[1:]))


def _in_words(text: str) -> tuple[int, ...]:
    """The counts of `job ... with 3 references (1 duplicates left out, ...)`."""
    found = [re.search(rf"(\d+) {word}", text) for word in ("reference", "duplicate", "malformed, never", "blank, sk")]
    return tuple(int(match[1]) if match else 0 for match in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[:15].replace("\n", " "))
def test_all_say_the_same_numbers(desk: Desk, case: str) -> None:
    source, text = ("-", case) if "\n" in case or "[" in case else (FILES / case, None)
    given = (source, "--max-invalid", "90%")
    plan = desk.ok("plan", *given, "--json", text=text).document["counts"]
    dry = desk.ok("enqueue", *given, "--dry-run", "--json", text=text).document
    made = desk.ok("enqueue", *given, text=text)
    job = desk.ok("status", made.out.strip(), "--json").document
    assert tuple(plan[name] for name in NAMES) == CASES[case]
    assert _of_job(dry) == CASES[case]
    assert _of_job({**job, "blank": CASES[case][3]}) == CASES[case]
    assert _in_words(made.err) == CASES[case]
