"""Results as Parquet: typed, whole, in bounded pieces, and an error where pyarrow is missing."""

import io
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cancellist.api import results
from cancellist.api.problems import ProblemError
from cancellist.jobs.errors import ParquetMissingError
from cancellist.jobs.ledger.views import result_parquet
from cancellist.jobs.ledger.views.result_parquet import ParquetPages
from cancellist.jobs.model import Outcome, Result


def result(n: int) -> Result:
    outcome = list(Outcome)[n % len(Outcome)]
    message = None if n % 3 else f"=\x1b[1m {n}\n\u202e"
    return Result(
        f"job{n % 2}", f"R-{n}", outcome, None if n % 5 else 200, n, message, None if n % 7 else "Open", n * 997
    )


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1234])
def test_what_is_written_is_what_is_read(monkeypatch, count):
    monkeypatch.setattr(result_parquet, "ROWS", 100)
    pages = ParquetPages()
    written = [result(n) for n in range(count)]
    blocks = [pages([])]
    for start in range(0, count, 70):
        blocks.append(pages(written[start : start + 70]))
        assert len(pages._waiting) < 100
    blocks.append(pages.end())
    file = pq.ParquetFile(io.BytesIO(b"".join(blocks)))
    assert file.metadata.num_row_groups == -(-count // 100)
    table = file.read()
    assert table.schema.field("at").type == pa.timestamp("ms", tz="UTC")
    assert pa.types.is_dictionary(table.schema.field("outcome").type)
    expected = [asdict(one) | {"at": datetime.fromtimestamp(one.at_ms / 1000, UTC)} for one in written]
    for row in expected:
        del row["at_ms"]
    assert table.to_pylist() == expected


def test_without_pyarrow_it_says_what_to_install_and_other_forms_are_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetMissingError, match=r"pip install 'cancellist\[parquet\]'"):
        ParquetPages()
    parquet = result_parquet.MEDIA_TYPE
    assert results.chosen(f"{parquet}, text/csv;q=0.5") == "text/csv"
    with pytest.raises(ProblemError, match="without pyarrow") as refused:
        results.chosen(parquet)
    assert refused.value.kind.status == 406
