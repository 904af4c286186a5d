# Made by scripts/generate_sync.py from _async/test_input.py: change that one, and run the script.

"""What can be handed in, and what is refused before anything is sent."""

import gzip
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cancellist_client import Client, InputError

LATER = "+2h"
WRONG = [
    ({}, "EC-000-05D-1NS", "references"),
    ({}, b"EC-000-05D-1NS", "references"),
    ({}, [], "references"),
    ({}, iter(()), "references"),
    ({}, ["EC-000-05D-1NS", 7], "references"),
    ({}, 7, "references"),
    ({}, Path("references.pdf"), "references"),
    ({}, io.BytesIO(b"EC-000-05D-1NS"), "references"),
    ({"content_type": "text/html"}, Path("references.txt"), "content_type"),
    ({"content_type": "text/plain"}, ["EC-000-05D-1NS"], "content_type"),
    ({"priority": "high"}, ["EC-000-05D-1NS"], "priority"),
    ({"deadline": datetime(2030, 1, 1)}, ["EC-000-05D-1NS"], "deadline"),  # noqa: DTZ001 - that is the point
    ({"deadline": "2030-01-01T00:00:00"}, ["EC-000-05D-1NS"], "deadline"),
    ({"deadline": "tomorrow"}, ["EC-000-05D-1NS"], "deadline"),
    ({"start_at": timedelta(hours=-1)}, ["EC-000-05D-1NS"], "start_at"),
    ({"reason": "x" * 501}, ["EC-000-05D-1NS"], "reason"),
    ({"idempotency_key": ""}, ["EC-000-05D-1NS"], "idempotency_key"),
    ({"idempotency_key": "a\nb"}, ["EC-000-05D-1NS"], "idempotency_key"),
    ({"account": ""}, ["EC-000-05D-1NS"], "account"),
    *(
        ({guard: lost}, ["EC-000-05D-1NS"], guard)
        for guard in ("hold", "max_refused", "max_unconfirmed", "override", "host", "plan")
        for lost in ("", " ")
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[2]}-{case[1]!r:.20}-{case[0]}")
def test_what_cannot_be_meant_is_refused_before_it_is_sent(client: Client, case) -> None:
    options, given, field = case
    with pytest.raises(InputError) as caught:
        client.submit(given, **options)
    assert [error.field for error in caught.value.errors] == [field]
    assert caught.value.status is None


FILES = {
    "references.txt": "\n".join,
    "references.csv": lambda refs: "\n".join(["Order,Consignment Reference", *(f"1,{r}" for r in refs)]),
    "references.tsv": lambda refs: "\n".join(["Order\tConsignment Reference", *(f"1\t{r}" for r in refs)]),
    "references.json": json.dumps,
    "references.jsonl": lambda refs: "\n".join(json.dumps(r) for r in refs),
}
OPTIONS = {"references.tsv": {"delimiter": "tab"}}


@pytest.mark.only("fake", "http")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_sent_as_it_is(client: Client, backend, tmp_path: Path, name: str, packed: bool) -> None:
    references = backend.references(3)
    raw = FILES[name](references).encode()
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(raw) if packed else raw)
    job = client.submit(path, start_at=LATER, **OPTIONS.get(name, {}))
    (job.abort()).wait(60)
    assert [r.reference for r in job.results()] == references


class OnceOnly(io.RawIOBase):
    """A file that cannot be wound back, as a pipe."""

    def __init__(self, raw: bytes) -> None:
        self._left = io.BytesIO(raw)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._left.readinto(buffer)


@pytest.mark.only("fake", "http")
@pytest.mark.parametrize(
    "opened",
    [
        lambda text: (io.BytesIO(text.encode()), "text/plain"),
        lambda text: (io.StringIO(text), "text/plain"),
        lambda text: (OnceOnly(text.encode()), "text/plain"),
        lambda text: (iter(text.splitlines()), None),
        lambda text: ((line for line in text.splitlines()), None),
        lambda text: (dict.fromkeys(text.splitlines()), None),
    ],
)
def test_open_files_and_iterators_are_handed_in(client: Client, backend, opened) -> None:
    references = backend.references(3)
    given, content_type = opened("\n".join(references))
    job = client.submit(given, content_type=content_type, start_at=LATER)
    (job.abort()).wait(60)
    assert [r.reference for r in job.results()] == references


@pytest.mark.only("fake", "http")
def test_a_file_is_sent_from_where_it_stands(client: Client, backend) -> None:
    references = backend.references(2)
    file = io.BytesIO(("do not cancel\n" + "\n".join(references)).encode())
    file.readline()
    job = client.submit(file, content_type="text/plain", start_at=LATER)
    (job.abort()).wait(60)
    assert [r.reference for r in job.results()] == references


@pytest.mark.only("fake", "http")
def test_many_references_are_streamed(client: Client, backend) -> None:
    references = backend.made_up(6_000)
    job = client.submit(references, start_at=LATER, reason="strike, 100% & more")
    assert job.status.total == 6_000
    (job.abort()).wait(60)
    assert job.status.reason == "strike, 100% & more"


@pytest.mark.only("fake", "http")
def test_a_file_that_holds_something_else_is_refused(client: Client, backend, tmp_path: Path) -> None:
    path = tmp_path / "references.json"
    path.write_text("Reference\n" + "\n".join(backend.references(2)))
    with pytest.raises(InputError) as caught:
        client.submit(path)
    assert caught.value.status == 422
