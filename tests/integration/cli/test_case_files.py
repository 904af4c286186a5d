"""Small files that were half-read once, through the real command: each is taken whole and right, or refused whole."""

import json

import pytest

from tests.support import ROOT
from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

FILES = ROOT / "tests" / "cases" / "files"
ALL = ["EC-VC4-FBM-8GZ", "EC-XUE-ADS-Q5M", "EC-0CO-5FZ-7U9", "EC-2UY-0I5-PIW", "EC-5D7-VKC-77J"]
COLUMN = "Consignment Reference"

TAKEN = {  # file: options, its references, its column, its form, blank cells
    ("keep-and-cancel.json", "--column", "cancel"): (ALL[2:4], "cancel", "json", 0),
    ("wrapped-object.json",): (ALL[:4], "consignments", "json", 0),
    ("comment-then-csv.csv",): (ALL[:4], "Reference", "csv", 0),
    ("sep-tab.csv",): (ALL[:3], COLUMN, "csv", 0),
    ("sep-quoted.csv",): (ALL[:3], COLUMN, "csv", 0),
    ("sep-trailing.csv",): (ALL[:3], COLUMN, "csv", 0),
    ("comment-head.csv",): (ALL[:3], COLUMN, "csv", 0),
    ("formula-wrapped.csv",): (ALL[:3], COLUMN, "csv", 0),
    ("concatenated.json",): (ALL[:3], "reference", "jsonl", 0),
    ("nested.jsonl", "--column", "consignment.reference"): (ALL[:3], "consignment.reference", "jsonl", 0),
    ("sparse.jsonl", "--column", "shipment"): (ALL[:3], "shipment", "jsonl", 1),
    ("name-over-content.csv", "--column", "Consignment No"): (ALL[:3], "Consignment No", "csv", 0),
    ("name-over-content.csv", "--column", "3"): (ALL[:3], "Consignment No", "csv", 0),
    ("nbsp.csv",): (ALL[:2], "Consignment\\xa0Reference", "csv", 0),
    ("dos-eof.txt",): (ALL[:2], None, "lines", 0),
    ("line-items.csv",): (ALL[:2], COLUMN, "csv", 3),
    ("label-cell.csv",): (ALL[:2], "consignment_reference", "csv", 0),
    ("surrogate-key.json",): (ALL[:1], "re\\ud800f", "json", 0),
    ("two.txt",): (ALL[:2], None, "lines", 0),
}

REFUSED = {  # file: options, what the line says
    ("keep-and-cancel.json",): ("2 arrays: choose one with --column", "'keep', 'cancel'"),
    ("r-rownames.tsv",): ("every row has more cells than the header, 5 and not 4",),
    ("nested.jsonl",): ("'consignment.reference'", "--column"),
    ("sparse.jsonl", "--column", "parcel"): ("no object has the key 'parcel'", "'shipment'"),
    ("bom.html",): ("a web page",),
    ("name-over-content.csv",): ("'Consignment No' holds more references",),
    ("name-over-content.csv", "--column", "Reference"): ("no line holds a reference", "'Reference'"),
    ("book.ods",): ("an OpenDocument spreadsheet", "save the sheet as CSV"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with a_desk(tmp_path_factory.mktemp("cases")) as desk:
        yield desk


@pytest.mark.parametrize("case", TAKEN, ids=" ".join)
def test_a_file_that_is_understood_is_taken_whole(desk: Desk, case):
    name, *options = case
    references, column, form, blank = TAKEN[case]
    plan = desk.ok("enqueue", FILES / name, *options, "--dry-run", "--json").document
    assert (plan["form"], plan["column"]) == (form, column)
    assert (plan["total"], plan["invalid"], plan["blank"], plan["malformed"]) == (len(references), 0, blank, [])


def test_what_is_taken_is_what_is_cancelled(desk: Desk):
    files = ["sep-tab.csv", "nbsp.csv", "line-items.csv", "wrapped-object.json", "dos-eof.txt"]
    documents = {name: desk.ok("enqueue", FILES / name, "--json").document for name in files}
    desk.drain()
    for name, document in documents.items():
        assert list(document) == ["job", "state", "total", "duplicates", "invalid", "blank"]
        results = desk.ok("results", document["job"]).lines
        assert sorted(result["reference"] for result in results) == sorted(TAKEN[(name,)][0])


@pytest.mark.parametrize("case", REFUSED, ids=" ".join)
def test_a_file_that_is_not_surely_understood_is_refused_in_one_line_and_nothing_is_handed_in(desk: Desk, case):
    name, *options = case
    before = len(desk.jobs())
    for more in ((), ("--dry-run",)):
        done = desk.run("enqueue", FILES / name, *options, *more)
        assert (done.status, done.out) == (1, ""), done
        assert all(words in done.err for words in REFUSED[case])
        assert done.err.count("\n") == 1
    assert len(desk.jobs()) == before


def test_a_row_that_an_unquoted_comma_has_shifted_is_malformed_with_its_line_and_its_cells(desk: Desk):
    done = desk.ok("enqueue", FILES / "shifted-row.csv", "--json")
    assert "line 3: 2,12 High St" in done.err
    assert "5 cells, the header has 4" in done.err
    assert (done.document["total"], done.document["invalid"]) == (3, 1)
    desk.drain()
    results = {result["reference"]: result["outcome"] for result in desk.ok("results", done.document["job"]).lines}
    assert set(results) - {"EC-XUE-ADS-Q5M", "EC-5D7-VKC-77J"} == {one for one in results if results[one] == "invalid"}
    assert "EC-0CO-5FZ-7U9" not in results


def test_a_quoted_cell_that_has_swallowed_rows_is_told(desk: Desk):
    done = desk.ok("enqueue", FILES / "swallowed.csv", "--dry-run", "--json")
    assert "a quoted cell spans lines 3 to 5 and holds references" in done.err
    assert done.document["files"][0]["notes"] == [done.err.splitlines()[0].removeprefix("note: ")]
    rows = "".join(f"{ALL[0]},x\n" for _ in range(20))
    large = desk.file("large.csv", f'Consignment Reference,Note\n{rows}{ALL[1]},"open\n{rows}{ALL[2]},closed"\n')
    refused = desk.run("enqueue", large)
    assert refused.status == 1
    assert "lines 22 to 43" in refused.err
    assert json.dumps(refused.out) == '""'


def test_cells_of_several_lines_that_are_one_reference_or_a_note_are_taken_as_they_are(desk: Desk):
    rows = "".join(f'"see {ALL[4]}\nand\n{ALL[3]}","EC-{number:03d}-AAA-AAA\n"\n' for number in range(40))
    done = desk.ok("enqueue", desk.file("cells.csv", f"Note,Reference\n{rows}"), "--dry-run", "--json")
    assert (done.document["total"], done.document["invalid"]) == (40, 0)
    assert "spans lines 2 to 4 and holds references" in done.document["files"][0]["notes"][0]


def test_where_most_rows_were_swallowed_the_first_is_named_and_what_to_do(desk: Desk):
    cell = f'"x\n{ALL[1]},1\n{ALL[2]},2\ny"'
    rows = "".join(f"EC-{number:03d}-AAA-AAA,{cell}\n" for number in range(40))
    for options in ((), ("--column", "Reference")):
        done = desk.run("enqueue", desk.file("rows.csv", f"Reference,Note\n{rows}"), *options)
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert "(the first: a quoted cell spans lines 2 to 5 and holds references" in done.err
        assert "is a quote missing?): correct them" in done.err


def test_a_column_that_turns_out_to_hold_more_references_is_told(desk: Desk):
    rows = "".join(f"EC-{number:03d}-AAA-AAA,\n" for number in range(210))
    rows += "".join(f",EC-{number:03d}-BBB-BBB\n" for number in range(390))
    done = desk.ok("enqueue", desk.file("late.csv", f"reference,old\n{rows}"), "--dry-run", "--json")
    assert (done.document["total"], done.document["blank"]) == (210, 390)
    (note,) = done.document["files"][0]["notes"]
    assert note.startswith("'old' holds more references than 'reference', at least 390 and not 210")
    assert f"note: {note}" in done.err
