"""A question that may take no longer than so much brings the index nearer to the end of the results, and says so."""

from pathlib import Path

import pytest

from cancellist.jobs.errors import IndexBehindError
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.references import reference_index
from cancellist.jobs.ledger.references.index_lock import locked
from cancellist.jobs.ledger.references.reference_index import ReferenceIndex
from tests.contract.steps import drained, refs, submit


async def test_each_question_goes_on_where_the_one_before_has_stopped(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_index, "BATCH", 20)
    job = await submit(ledger, refs(90))
    await drained(ledger)
    tries = 0
    while True:
        index = ReferenceIndex(ledger, tmp_path, jobs_keep_s=1000)
        try:
            answer = await index.find(refs(90)[-1], before=None, limit=9, within_s=0)
            break
        except IndexBehindError:
            tries += 1
        finally:
            await index.close()
    assert tries == 4
    assert [(one.id, one.result.outcome) for one in answer.mentions if one.result] == [(job, "cancelled")]


async def test_a_question_waits_no_longer_than_that_for_another_process_or_another_question(
    ledger: Ledger, tmp_path: Path
) -> None:
    index = ReferenceIndex(ledger, tmp_path, jobs_keep_s=1000)
    assert not await index.step()
    (file,) = tmp_path.glob("references-*.sqlite")  # noqa: ASYNC240 - of a test
    async with locked(file):
        with pytest.raises(IndexBehindError):
            await index.find("EC-000-05D-1NS", before=None, limit=9, within_s=0.05)
    async with index._turn:
        with pytest.raises(IndexBehindError):
            await index.find("EC-000-05D-1NS", before=None, limit=9, within_s=0.05)
    assert (await index.find("EC-000-05D-1NS", before=None, limit=9, within_s=0)).complete
    await index.close()
