"""Files of each form, with noise, shifts and wrappers: what is taken is exactly the named column, or nothing."""

import csv
import gzip
import io
import json

import orjson
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import Hints, Reader
from cancellist.jobs.parsing.documents.cells import bare
from cancellist.jobs.parsing.documents.columns import looks_like_reference
from cancellist.jobs.parsing.documents.json_text import BLANKS, JsonText, Number
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import classify
from cancellist.sandbox.world.references import reference

PATTERN = ReferencePattern()
EXAMPLES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MEANT, DECOYS = ([reference(seed, index) for index in range(40)] for seed in (1, 2))
"""References of the column that is meant, and of others."""

towns = st.sampled_from(["Leeds", "York", "Łódź", "", "12", "Mill Lane"])
noise = st.sampled_from(["{}", " {}", "{}\u00a0", "\u200b{}", "'{}'", '="{}"', "\t{} ", "\ufeff{}"])
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
names = st.sampled_from(["Consignment Reference", "reference", "CONSIGNMENT_REFERENCE", "consignment ref"])
texts = st.text(st.characters(exclude_categories=["Cc"], include_characters="\n\t", codec="utf-8"), max_size=6)
titles = st.sampled_from(["", "# exported, today\n", "Returns of Monday\n\n", "Shop;North\nBy,J. Doe\n", "// x\n"])


def outcome(content, block_bytes=1 << 20, **hints):
    """Return the references taken, the lines of malformed entries and the blanks; or None where it is refused."""
    reader = Reader(pattern=PATTERN, hints=Hints(**hints), block_bytes=block_bytes)
    try:
        batches = [*reader.feed(content), *reader.flush()]
    except InputError:
        return None
    judged = [classify(batch, PATTERN) for batch in batches]
    invalid = [entry.line for batch in judged for entry in batch.invalid]
    return [one for batch in judged for one in batch.valid], invalid, sum(batch.blank for batch in batches)


@st.composite
def tables(draw, *, shifts):
    """Draw rows of order, address, decoy, reference and town, in any order of columns, and which are shifted."""
    order = draw(st.permutations(range(5)))
    rows, shifted = [], []
    for index in range(draw(st.integers(1, 20))):
        blank = draw(st.integers(0, 4)) == 0
        cell = "" if blank else draw(noise).format(MEANT[index])
        cell = cell.strip("\t") if shifts else cell
        decoy = DECOYS[index] if draw(st.booleans()) else ""
        broken = shifts and draw(st.integers(0, 3)) == 0
        address = "12 High St{}Unit 4" if broken else draw(towns)
        cells = [str(index), address, decoy, cell, draw(towns)]
        rows.append([cells[place] for place in order])
        shifted.append(broken)
    header = ["Order", "Address", "Replaces", draw(names), "Town"]
    return [header[place] for place in order], rows, shifted, order.index(3)


@EXAMPLES
@given(tables(shifts=False), st.sampled_from(",;\t|"), titles, encodings, st.sampled_from(["\n", "\r\n"]), st.data())
def test_a_table_gives_the_references_of_its_column_whatever_is_around_them(
    table, delimiter, title, encoding, end, data
):
    header, rows, _, place = table
    held = io.StringIO(newline="")
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(held, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([header, *rows])
    sep = data.draw(st.sampled_from(["", "sep={}", '"sep={}"', "sep={0}{0}{0}"])).format(delimiter) + end
    text = (
        (title.replace("\n", end) if sep == end else sep) + held.getvalue() + data.draw(st.sampled_from(["", "\x1a"]))
    )
    content = text.encode(encoding)
    content = gzip.compress(content) if data.draw(st.booleans()) else content
    wanted = [MEANT[index] for index, row in enumerate(rows) if row[place]]
    column = data.draw(st.sampled_from([header[place], str(place + 1), header[place].upper()]))
    for hints in ({"column": column}, {}):
        found = outcome(content, **hints)
        if hints and not found:
            assert title.startswith("Shop") or not any(cell for row in rows for cell in row), found
        assert found is None or found == (wanted, [], len(rows) - len(wanted))


@EXAMPLES
@given(tables(shifts=True), st.sampled_from(",;\t|"), st.booleans())
def test_a_row_that_is_shifted_is_malformed_or_the_table_is_refused_and_no_other_column_is_taken(
    table, delimiter, named
):
    header, rows, shifted, place = table
    lines = [delimiter.join(header), *(delimiter.join(row).format(delimiter) for row in rows)]
    found = outcome("\n".join(lines).encode(), column=header[place] if named else None)
    assume(found is not None)
    wanted = [MEANT[index] for index, row in enumerate(rows) if row[place] and not shifted[index]]
    # Where the row's last cells are blank, those that come before the comma are where they were.
    kept = [MEANT[index] for index, row in enumerate(rows) if row[place] and PATTERN.matches(bare(row[place]))]
    assert set(wanted) <= set(found[0]) <= set(kept)
    assert set(found[1]) <= {line for line, broken in enumerate(shifted, 2) if broken}
    assert len(found[0]) + len(found[1]) + found[2] == len(rows)


@st.composite
def records(draw):
    """Draw JSON objects, the key and its values."""
    key = draw(names)
    objects, wanted = [], []
    for index in range(draw(st.integers(1, 20))):
        item = {"order": index, "note": draw(st.text(max_size=8)), "was": {"reference": DECOYS[index]}}
        if draw(st.integers(0, 4)):
            item[key] = MEANT[index]
            wanted.append(MEANT[index])
        pairs = draw(st.permutations(list(item.items())))
        objects.append(dict(pairs))
    return key, objects, wanted


@EXAMPLES
@given(records(), st.sampled_from([None, 0, 2]), st.sampled_from(["array", "lines", "joined", "wrapped"]), st.data())
def test_json_gives_the_values_of_its_key_however_it_is_put(drawn, indent, form, data):
    key, objects, wanted = drawn
    put = {
        "array": json.dumps(objects, indent=indent),
        "lines": "\n".join(map(json.dumps, objects)),
        "joined": "".join(json.dumps(item, indent=indent) for item in objects),
        "wrapped": json.dumps({"page": 1, "data": {"list": objects}, "next": None}, indent=indent),
    }[form]
    content = put.encode(data.draw(encodings))
    full = f"data.list.{key}" if form == "wrapped" and data.draw(st.booleans()) else key
    found = outcome(content, data.draw(st.integers(1, 500)), column=full)
    assert found == (wanted, [], len(objects) - len(wanted)) or (found is None and not wanted)
    found = outcome(content)
    assert found is None or found == (wanted, [], len(objects) - len(wanted))


@EXAMPLES
@given(records(), records(), st.sampled_from([None, 1]), st.booleans())
def test_of_two_arrays_the_one_that_is_named_is_taken_and_neither_unless_one_is(first, second, indent, plain):
    keep, cancel = first[1], second[1]
    if plain:
        keep, cancel = [item["was"]["reference"] for item in keep], second[2]
    content = json.dumps({"keep": keep, "cancel": cancel}, indent=indent).encode()
    assert outcome(content) is None
    found = outcome(content, column="cancel" if plain else f"cancel.{second[0]}")
    assert (found[0] if found else []) == second[2]


@EXAMPLES
@given(
    st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=12), st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.integers(1, 3), st.integers(1, 60),
)  # fmt: skip
def test_the_cells_of_well_formed_csv_are_those_that_python_reads(rows, delimiter, quoting, number, block_bytes):
    held = io.StringIO(newline="")
    rows = [[*cells, str(n)] for n, cells in enumerate(rows, 1)]  # a row of words alone may be another header
    csv.writer(held, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(
        [["head one", "head two", "head three", "row"], *rows]
    )
    content = held.getvalue()
    assume(not any(looks_like_reference(cell) for row in rows for cell in row))
    reader = Reader(pattern=PATTERN, hints=Hints(column=str(number), delimiter=delimiter), block_bytes=block_bytes)
    found = [value for batch in (*reader.feed(content.encode()), *reader.flush()) for value in batch.values]
    read = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))[1:]
    assert list(map(bare, found)) == [cell for row in read if (cell := bare(row[number - 1]))]


def elements(pieces):
    """Return the elements of a JSON array that comes in pieces; None where it is refused."""
    text, found = JsonText(1), []

    def whole():
        if (yield from text.next(BLANKS)) != "[":
            raise InputError("no array")
        text.at += 1
        yield from text.elements(lambda items, lines: found.extend(zip(items, lines, strict=True)))
        if (yield from text.next()):
            raise InputError("something follows")

    reading = whole()
    try:
        for at, piece in enumerate(pieces, 1):
            text.feed(piece, final=at == len(pieces))
            next(reading, None)
    except InputError:
        return None
    return [as_numbers(item) for item, _ in found]


def as_numbers(item):
    if isinstance(item, Number) or (isinstance(item, int) and not isinstance(item, bool)):
        return float(item)
    if isinstance(item, dict):
        return {name: as_numbers(value) for name, value in item.items()}
    return [as_numbers(value) for value in item] if isinstance(item, list) else item


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9999, 9999), st.floats(-1e9, 1e9), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


@EXAMPLES
@given(
    st.lists(values, max_size=8), st.sampled_from([None, 0, 2]), st.booleans(),
    st.lists(st.integers(0, 40), max_size=8), st.integers(0, 300),
    st.sampled_from(["", *'{}[],:"\\ 0-.entx', "\n", "null", '"a":']), st.integers(0, 2),
)  # fmt: skip
def test_json_is_read_or_refused_as_another_parser_does(items, indent, ascii_only, sizes, at, put, cut):
    text = json.dumps(items, indent=indent, ensure_ascii=ascii_only)
    text = text[:at] + put + text[at + cut :]
    assume(text.lstrip().startswith("["))
    try:
        expected = [as_numbers(item) for item in orjson.loads(text)]
    except ValueError:
        expected = None
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    found = elements([*pieces, text[start:]])
    if expected != found:
        # Read otherwise on purpose: a key that is twice in an object, half a surrogate pair, numbers beyond all floats.
        written = json.dumps(found, ensure_ascii=False)
        half = any(0xD800 <= ord(one) < 0xE000 for one in written)
        assert (expected is None and (half or "Infinity" in written)) or (found is None and has_repeats(text))


def has_repeats(text):
    repeats = []
    json.loads(text, object_pairs_hook=lambda pairs: repeats.append(len(dict(pairs)) < len(pairs)) or dict(pairs))
    return any(repeats)
