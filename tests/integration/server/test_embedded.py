"""The embedded server, with real servers and real processes; each test ends what it started, by process id."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from cancellist.jobs.errors import LedgerUnavailableError
from cancellist.jobs.ledger.server import embedded, valkey_launch, valkey_process
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
from cancellist.jobs.ledger.server.valkey_process import ServerFiles, is_alive, pid_of, socket_of
from tests.support import ROOT
from tests.support.embedded import RESTLESS, User, end_server, eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ServerFiles]:
    files = ServerFiles(tmp_path / "data")
    yield files
    end_server(files)


@pytest.fixture
def user(files: ServerFiles) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def join(**env: str) -> User:
        users.append(User(files.folder, **env))
        return users[-1]

    yield join
    for one in users:
        one.kill()


def command(server: EmbeddedServer, *words: str) -> object:
    with closing(Redis.from_url(server.url, decode_responses=True)) as redis:
        return redis.execute_command(*words)


def test_the_server_is_private_durable_and_apart_from_the_terminal(files):
    with EmbeddedServer(files.folder) as server:
        assert server.url == f"unix://{files.socket}"
        assert command(server, "PING") is True
        for name, value in {
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
            "port": "0",
            "aof-load-truncated": "yes",
        }.items():
            assert command(server, "CONFIG GET", name) == {name: value}
        assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(files.socket.stat().st_mode) == 0o700
        assert os.getsid(server.pid) != os.getsid(0)
        assert b"API_KEY" not in Path(f"/proc/{server.pid}/environ").read_bytes()
    assert server.pid is None
    assert not files.socket.exists()


def test_start_and_close_may_be_repeated_and_the_data_stays(files):
    server = EmbeddedServer(files.folder)
    assert server.start() == server.start()
    command(server, "SET", "key", "value")
    server.close()
    server.close()
    server.start()
    assert command(server, "GET", "key") == "value"
    server.close()
    assert not is_alive(files)


def test_a_folder_with_a_space_and_a_question_mark_works(tmp_path):
    files = ServerFiles(tmp_path / "my data? 100%")
    try:
        with EmbeddedServer(files.folder) as server:
            assert command(server, "PING") is True
    finally:
        end_server(files)


def test_two_users_share_one_server_and_the_last_one_stops_it(files, user):
    first, second = user(), user()
    assert first.server_pid == second.server_pid == pid_of(files)
    first.leave()
    assert pid_of(files) == second.server_pid
    second.leave()
    assert not is_alive(files)


def test_a_killed_user_does_not_count_any_more(files, user):
    first, second = user(), user()
    first.kill()
    assert pid_of(files) == second.server_pid
    second.leave()
    assert not is_alive(files)


def test_a_server_whose_only_user_was_killed_is_taken_over_by_the_next(files, user):
    first = user()
    first.kill()
    assert is_alive(files)
    second = user()
    assert second.server_pid == first.server_pid
    second.leave()
    assert not is_alive(files)


def test_a_killed_server_is_brought_back_with_its_data(files):
    with EmbeddedServer(files.folder) as server:
        command(server, "SET", "key", "value")
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: not is_alive(files))
        assert files.socket.exists()
        assert server.pid is None
        server.ensure_running()
        assert server.pid not in {None, killed}
        assert command(server, "GET", "key") == "value"
        alive = server.pid
        server.ensure_running()
        assert server.pid == alive


def test_many_threads_and_users_bring_back_one_server(files, user):
    with EmbeddedServer(files.folder) as server:
        other = user()
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(files))
        errors: list[BaseException] = []
        pids: set[int | None] = set()

        def revive() -> None:
            try:
                server.ensure_running()
                pids.add(server.pid)
            except BaseException as error:  # noqa: BLE001 - reported below
                errors.append(error)

        threads = [threading.Thread(target=revive) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(pids) == 1
        other.leave()
        assert server.pid in pids


def test_left_over_files_are_not_believed(files):
    files.folder.mkdir()
    files.pid.write_text(f"{os.getpid()}\n")
    files.socket.touch()
    half_written = files.folder / "temp-rewriteaof-123.aof"
    half_written.touch()
    with EmbeddedServer(files.folder) as server:
        assert command(server, "PING") is True
        assert server.pid != os.getpid()
        assert not half_written.exists()


def test_six_processes_that_come_and_go_never_fail_nor_lose_a_write(files):
    rounds = 8
    processes = [
        subprocess.Popen([sys.executable, "-c", RESTLESS, str(files.folder), str(rounds)], cwd=ROOT) for _ in range(6)
    ]
    try:
        assert [process.wait(timeout=50) for process in processes] == [0] * 6
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert not is_alive(files)
    with EmbeddedServer(files.folder) as server:
        assert command(server, "GET", "visits") == str(6 * rounds)


def test_a_folder_with_a_long_name_listens_elsewhere_in_private(tmp_path, monkeypatch):
    files = ServerFiles(tmp_path / ("n" * 120))
    other_temp = tmp_path / "t"
    other_temp.mkdir()
    try:
        with EmbeddedServer(files.folder) as server:
            folder = socket_of(files).parent
            assert folder.parent == Path(tempfile.gettempdir())
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert command(server, "PING") is True
            second = User(files.folder, TMPDIR=str(other_temp))
            assert second.server_pid == server.pid
            second.leave()
            os.kill(server.pid, signal.SIGKILL)
            eventually(lambda: not is_alive(files))
            server.ensure_running()
            assert command(server, "PING") is True
        assert not folder.exists()
        assert not is_alive(files)
    finally:
        end_server(files)


def test_a_temporary_folder_that_others_can_enter_is_refused(tmp_path):
    files = ServerFiles(tmp_path / ("n" * 120))
    folder = socket_of(files).parent
    folder.mkdir(mode=0o755)
    try:
        with pytest.raises(LedgerUnavailableError, match="not a private folder"):
            EmbeddedServer(files.folder).start()
    finally:
        folder.rmdir()
        end_server(files)


def test_a_file_in_place_of_the_folder_is_told_with_the_mend(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(LedgerUnavailableError, match="CANCELLIST_DATA_DIR") as caught:
        EmbeddedServer(tmp_path / "data").start()
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_before_anything_is_written(files, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(valkey_launch.shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(LedgerUnavailableError, match="no space is left"):
        EmbeddedServer(files.folder).start()
    assert not is_alive(files)


def test_a_platform_without_a_server_names_the_setting_to_use(files, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "SunOS")
    with pytest.raises(LedgerUnavailableError, match=r"sunos.*CANCELLIST_REDIS_URL"):
        EmbeddedServer(files.folder).start()


def append_only_file(files: ServerFiles) -> Path:
    (found,) = files.folder.glob("appendonlydir/*.incr.aof")
    return found


def test_a_file_cut_short_by_a_power_loss_loads_to_its_last_whole_write(files):
    with EmbeddedServer(files.folder) as server:
        command(server, "SET", "whole", "1")
        command(server, "SET", "cut", "2")
    path = append_only_file(files)
    os.truncate(path, path.stat().st_size - 3)
    with EmbeddedServer(files.folder) as server:
        assert command(server, "GET", "whole") == "1"
        assert command(server, "GET", "cut") is None


def test_a_server_that_cannot_start_says_why_with_its_own_words(files):
    with EmbeddedServer(files.folder):
        pass
    append_only_file(files).write_bytes(b"garbage, not an append-only file\r\n" * 10)
    with pytest.raises(LedgerUnavailableError, match=r"Bad file format.*valkey\.log") as caught:
        EmbeddedServer(files.folder).start()
    assert "\n" not in str(caught.value)
    assert not is_alive(files)


def large_file(files: ServerFiles) -> int:
    """Make the next start take a while."""
    with EmbeddedServer(files.folder):
        pass
    count = 400_000
    with append_only_file(files).open("ab") as file:
        for n in range(count):
            file.write(b"*3\r\n$3\r\nSET\r\n$8\r\n%08d\r\n$1\r\n1\r\n" % n)
    return count


def test_loading_a_large_file_is_waited_for_and_told(files, monkeypatch):
    count = large_file(files)
    monkeypatch.setattr(embedded, "SAY_EVERY_S", 0.0)
    said: list[str] = []
    with EmbeddedServer(files.folder, on_wait=said.append) as server:
        assert command(server, "DBSIZE") == count
    assert any("loading its data" in message for message in said)


def test_an_interrupted_start_leaves_no_server(files, monkeypatch):
    large_file(files)
    monkeypatch.setattr(embedded, "SAY_EVERY_S", 0.0)

    def interrupt(_message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EmbeddedServer(files.folder, on_wait=interrupt).start()
    assert not is_alive(files)


def test_a_running_server_is_made_safer_by_a_user_who_wants_it_but_never_less_safe(files):
    with EmbeddedServer(files.folder, fsync="everysec") as careless:
        assert command(careless, "CONFIG GET", "appendfsync") == {"appendfsync": "everysec"}
        with EmbeddedServer(files.folder):
            assert command(careless, "CONFIG GET", "appendfsync") == {"appendfsync": "always"}
            with EmbeddedServer(files.folder, fsync="everysec"):
                assert command(careless, "CONFIG GET", "appendfsync") == {"appendfsync": "always"}


def test_a_server_that_hangs_is_ended_by_the_last_user(files, monkeypatch):
    monkeypatch.setattr(valkey_process, "STOP_S", 0.3)
    monkeypatch.setattr(valkey_process, "ANSWER_S", 0.2)
    with EmbeddedServer(files.folder) as server:
        command(server, "SET", "key", "value")
        os.kill(server.pid, signal.SIGSTOP)
    assert not is_alive(files)
    with EmbeddedServer(files.folder) as server:
        assert command(server, "GET", "key") == "value"


def test_a_server_that_hangs_is_told_to_who_comes(files, monkeypatch):
    monkeypatch.setattr(valkey_process, "ANSWER_S", 0.1)
    monkeypatch.setattr(valkey_process, "STOP_S", 0.3)
    monkeypatch.setattr(embedded, "SILENCE_S", 0.3)
    with EmbeddedServer(files.folder) as server:
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(LedgerUnavailableError, match=f"process {server.pid}"):
            server.ensure_running()


def test_a_start_that_another_holds_up_is_told_and_bounded(files, monkeypatch):
    monkeypatch.setattr(embedded, "SAY_EVERY_S", 0.05)
    monkeypatch.setattr(embedded, "START_LOCK_S", 0.2)
    said: list[str] = []
    holder = EmbeddedServer(files.folder)
    files.folder.mkdir()
    with holder._start_lock(), pytest.raises(LedgerUnavailableError, match=r"start\.lock"):
        EmbeddedServer(files.folder, on_wait=said.append).start()
    assert said


def test_the_log_does_not_grow_without_bound(files):
    files.folder.mkdir()
    files.log.write_bytes(b"x" * (valkey_process.MAX_LOG_BYTES + 1))
    with EmbeddedServer(files.folder):
        assert files.log.stat().st_size < 10_000
    assert files.log.with_suffix(".log.1").exists()
