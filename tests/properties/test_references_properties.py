import csv
import io
import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancellist.jobs.errors import InputError
from cancellist.jobs.escaping import shown
from cancellist.jobs.ledger.submitting.deduplication import Deduplicator
from cancellist.jobs.parsing.chunking import Chunker, unpack
from cancellist.jobs.parsing.documents import Reader
from cancellist.jobs.parsing.documents import reader as reader_module
from cancellist.jobs.parsing.patterns import DEFAULT_PATTERN, ReferencePattern
from cancellist.jobs.parsing.references import RawBatch, classify, normalise

PATTERN = ReferencePattern()
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

valid = st.from_regex(re.compile(DEFAULT_PATTERN, re.ASCII), fullmatch=True)
padded = st.tuples(st.sampled_from(["", " ", "\u00a0", "\t"]), valid, st.sampled_from(["", " ", "\u200b"])).map("".join)
junk = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)
mixed = st.lists(st.one_of(valid, padded, valid.map(str.lower), junk), max_size=40)
cells = st.text(st.sampled_from('ab ,;"\n\té'), max_size=8)
awkward = st.lists(
    st.sampled_from(
        [
            *'"\n\r,;[]{}:\\ \t|x1',
            "\r\n",
            "EC-000-05D-1NS",
            "EC-000-05D-1NT\n",
            '"EC-000-05D-1NU",',
            "reference",
            '{"reference":',
            '"reference"\n',
            "null",
            "\ufeff",
            "é",
        ]
    ),
    max_size=60,
).map(lambda parts: "".join(parts).encode())


def cut(content, sizes):
    """Cut `content` into blocks of these sizes, in turn; the last block takes the rest."""
    blocks, start = [], 0
    for size in sizes:
        blocks.append(content[start : start + size])
        start += size
    return [*blocks, content[start:]]


def outcome(blocks, *, block_bytes=1 << 20, head_bytes=None, column=None):
    """Return all that reading gives: entries, verdicts and lines; or that it was refused."""
    usual = reader_module.HEAD_BYTES, reader_module.HEAD_CHARACTERS
    if head_bytes:
        reader_module.HEAD_BYTES = reader_module.HEAD_CHARACTERS = head_bytes
    reader = Reader(column=column, pattern=PATTERN, block_bytes=block_bytes)
    try:
        batches = [batch for block in blocks for batch in reader.feed(block)]
        batches += reader.flush()
    except InputError:
        return "refused"
    finally:
        reader_module.HEAD_BYTES, reader_module.HEAD_CHARACTERS = usual
    entries = [entry for raw in batches for entry in zip(raw.lines, raw.values, strict=True)]
    judged = [classify(raw, PATTERN) for raw in batches]
    found = [reference for batch in judged for reference in batch.valid]
    invalid = [(entry.line, entry.reason) for batch in judged for entry in batch.invalid]
    assert len(found) + len(invalid) == len(entries) + sum(len(raw.invalid) for raw in batches)
    return found, invalid, reader.form, reader.encoding, reader.column


def references(blocks, **options):
    return outcome(blocks, **options)[0]


@EXAMPLES
@given(st.one_of(st.binary(max_size=300), awkward), st.lists(st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_any_bytes_are_read_the_same_however_they_are_cut_or_refused(content, sizes, block_bytes):
    whole = outcome([content])
    assert outcome(cut(content, sizes)) == whole
    assert outcome(cut(content, sizes), block_bytes=block_bytes) == whole


@EXAMPLES
@given(
    st.sampled_from([b'["EC-000-05D-1NS",', b'{"reference":1}\n', b"id,reference\n", b"EC-000-05D-1NS\n"]),
    awkward,
    st.lists(st.integers(0, 50), max_size=20),
    st.integers(1, 60),
)
def test_a_document_is_read_the_same_whatever_the_size_of_the_pieces_it_is_parsed_by(start, rest, sizes, block_bytes):
    content = start + rest
    small = {"block_bytes": block_bytes, "head_bytes": len(start)}
    assert outcome(cut(content, sizes), **small) == outcome([content], head_bytes=len(start))


@EXAMPLES
@given(mixed, st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 40))
def test_lines_give_their_references_in_order_with_the_lines_of_the_rest(entries, end, block_bytes):
    entries = ["EC-000-000-000", *(entry.replace("\n", "").replace('"', "").replace("'", "") for entry in entries)]
    # Brackets and the like show that it is no plain list, and it is refused.
    entries = [re.sub(r"[\s,;]+$", "", re.sub(r"[\[\]{}<>():#/]", "", entry)) for entry in entries]
    content = end.join(entries).encode()
    expected = [normalise(entry) for entry in entries]
    result = outcome([content], block_bytes=block_bytes, head_bytes=15)
    assert result[0] == [entry for entry in expected if PATTERN.matches(entry)]
    assert [line for line, _ in result[1]] == [
        line for line, entry in enumerate(expected, 1) if entry and not PATTERN.matches(entry)
    ]


@EXAMPLES
@given(st.lists(st.tuples(cells, valid, cells), min_size=1, max_size=20), st.sampled_from(",;\t|"), st.integers(1, 40))
def test_csv_gives_back_the_column_that_was_written(rows, delimiter, block_bytes):
    held = io.StringIO(newline="")
    writer = csv.writer(held, delimiter=delimiter)
    writer.writerows([("first", "reference", "last"), *rows])
    content = held.getvalue().encode()
    assert references([content], block_bytes=block_bytes) == [reference for _, reference, _ in rows]
    head_bytes = len(f"first{delimiter}reference{delimiter}last\r\n")
    assert references([content], block_bytes=block_bytes, head_bytes=head_bytes) == [one for _, one, _ in rows]


@EXAMPLES
@given(
    st.lists(st.tuples(valid, st.text(max_size=10)), min_size=1, max_size=20),
    st.sampled_from([None, 0, 2]),
    st.integers(1, 40),
)
def test_json_gives_back_what_was_written(rows, indent, block_bytes):
    plain = [reference for reference, _ in rows]
    objects = [{"note": {"text": [note]}, "reference": reference} for reference, note in rows]
    for items in (plain, objects):
        array = json.dumps(items, indent=indent).encode()
        for head_bytes in (1, 1000):
            assert references([array], block_bytes=block_bytes, head_bytes=head_bytes) == plain
        lines = "\n".join(map(json.dumps, items)).encode()
        assert references([lines], block_bytes=block_bytes) == plain


@EXAMPLES
@given(mixed)
def test_a_batch_is_judged_as_its_entries_are_one_by_one(entries):
    batch = classify(RawBatch(range(len(entries)), entries), PATTERN)
    assert batch.valid == [normalise(entry) for entry in entries if PATTERN.matches(normalise(entry))]
    assert len(batch.valid) + len(batch.invalid) == len(entries)
    assert all(entry.text == shown(entry.text) for entry in batch.invalid)


@EXAMPLES
@given(st.text())
def test_to_normalise_twice_changes_nothing_and_shown_text_can_be_stored(text):
    assert normalise(normalise(text)) == normalise(text)
    assert shown(text).isprintable()
    assert len(shown(text)) <= 100


@EXAMPLES
@given(st.lists(st.lists(st.integers(0, 60).map(str), max_size=15), max_size=15), st.integers(0, 40))
def test_duplicates_are_removed_as_a_set_would_in_memory_and_spilled(batches, in_memory):
    seen, expected = set(), []
    with Deduplicator(in_memory) as deduplicator:
        given_out = [one for batch in batches for one in deduplicator.unique(batch)]
    for one in (one for batch in batches for one in batch):
        if one not in seen:
            seen.add(one)
            expected.append(one)
    assert given_out == expected
    assert deduplicator.duplicates == sum(map(len, batches)) - len(expected)


@EXAMPLES
@given(st.lists(st.lists(valid, max_size=15), max_size=8), st.integers(1, 10))
def test_chunks_hold_what_was_fed_in_order_all_full_but_the_last(batches, size):
    chunker = Chunker(size)
    chunks = [chunk for batch in batches for chunk in chunker.feed(batch)] + chunker.flush()
    packed = [unpack(chunk) for chunk in chunks]
    assert [one for chunk in packed for one in chunk] == [one for batch in batches for one in batch]
    assert all(len(chunk) == size for chunk in packed[:-1])
