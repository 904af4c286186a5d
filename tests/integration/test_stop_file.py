"""The stop file: it stops calls also while the server is away, and the ledger has it once the server is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cancellist.jobs.errors import LedgerUnavailableError, SettingsError
from cancellist.jobs.ledger import stop_all
from cancellist.worker.stop_file import StopFile
from tests.support.ledgers import opened_ledger
from tests.support.servers import Server, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("valkey", tmp_path / "server") as server:
        yield server


async def test_a_file_that_came_and_went_while_the_server_was_away_stops_all(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "stop"
    async with opened_ledger(server.url) as ledger:
        file = StopFile(ledger, "w1", path)
        assert not file.stands()
        await file.tell()
        server.kill()
        path.touch()
        assert file.stands()
        with pytest.raises(LedgerUnavailableError):
            await file.tell()
        path.unlink()
        assert file.stands()
        server.restart()
        await file.tell()
        assert not file.stands()
        stopped = await stop_all.standing(ledger)
        assert stopped is not None
        assert stopped.why.endswith(f":{path} was there")
        await file.tell()
        assert (await stop_all.resume(ledger)) == stopped


async def test_whatever_has_the_name_is_the_file(server: Server, tmp_path: Path) -> None:
    async with opened_ledger(server.url) as ledger:
        for name, make in {"a": Path.touch, "b": Path.mkdir, "c": lambda path: path.symlink_to("nowhere")}.items():
            path = tmp_path / name
            make(path)
            assert StopFile(ledger, "w1", path).stands()
        assert not StopFile(ledger, "w1", None).stands()
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        for wrong in (tmp_path / "none" / "stop", loop / "stop"):
            with pytest.raises(SettingsError, match="CANCELLIST_STOP_FILE"):
                StopFile(ledger, "w1", wrong)


async def test_a_file_whose_folder_is_gone_counts_as_there(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    async with opened_ledger(server.url) as ledger:
        file = StopFile(ledger, "w1", folder / "stop")
        assert not file.stands()
        folder.rmdir()
        assert file.stands()
        await file.tell()
        stopped = await stop_all.standing(ledger)
        assert stopped is not None
        assert stopped.why.endswith("/stop is gone")
        folder.touch()  # a file in its place is no folder
        assert file.stands()
        folder.unlink()
        folder.mkdir()
        assert not file.stands()
