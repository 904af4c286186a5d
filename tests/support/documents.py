"""Reads documents for tests: their entries, their references, or the error that refuses them."""

import pytest

from cancellist.jobs.errors import InputError
from cancellist.jobs.parsing.documents import Hints, read
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import classify, normalise

PATTERN = ReferencePattern()
A, B, C = "EC-000-05D-1NS", "EC-000-05D-1NT", "EC-000-05D-1NU"


def entries(content, column=None, pattern=PATTERN, **hints):
    """Return the document, its valid references with their lines, and its invalid entries by line."""
    document = read(
        [content.encode() if isinstance(content, str) else content], pattern=pattern, hints=Hints(column, **hints)
    )
    valid, invalid = [], {}
    for raw in document:
        assert len(raw.lines) == len(raw.values)
        batch = classify(raw, pattern)
        document.examine(raw, batch.invalid)
        invalid |= {entry.line: entry.text for entry in batch.invalid}
        valid += [
            (line, value)
            for line, value in zip(raw.lines, raw.values, strict=True)
            if pattern.matches(normalise(value))
        ]
        assert len(batch.valid) + len(batch.invalid) == len(raw.values) + len(raw.invalid)
    return document, valid, invalid


def references(content, column=None, pattern=PATTERN, **hints):
    document = read(
        [content.encode() if isinstance(content, str) else content], pattern=pattern, hints=Hints(column, **hints)
    )
    found = []
    for raw in document:
        batch = classify(raw, pattern)
        document.examine(raw, batch.invalid)
        found += batch.valid
    return found


def refusal(content, column=None, **hints):
    with pytest.raises(InputError) as raised:
        references(content, column, **hints)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def form(content, column=None):
    document = read([content.encode()], pattern=PATTERN, hints=Hints(column))
    list(document)
    return document.form, document.column
