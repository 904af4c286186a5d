"""Values as they come from shells, containers and orchestrators: what stands around them, and whose they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import SettingsError
from tests.support import ROOT

KEY = "q9-very-secret"
TOKENS = f"one:read:{64 * '0'},two:read+submit:{64 * '1'}"
VALUES = {
    "redis_url": "redis://127.0.0.1:1/0", "data_dir": "/var/data", "namespace": "a", "api_url": "http://127.0.0.1:1",
    "api_key": KEY, "max_concurrent_calls": "3", "max_calls_per_second": "2.5", "call_timeout": "31s",
    "fsync": "everysec", "deallocate_first": "true", "refusal_words": '{"gone": "unknown"}',
    "reference_pattern": "S-[0-9]{8}", "api_tokens": TOKENS, "log_level": "debug", "log_format": "json",
    "heartbeat_dir": "/var/beat", "accounts__north__burst": "2", "accounts__north__api_key": KEY,
    "accounts__north__reference_pattern": "N-[0-9]{8}", "limit_initial": "4",
}  # fmt: skip
PLAIN = [name for name in VALUES if not name.endswith("reference_pattern")]


def given(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Settings:
    monkeypatch.setenv(f"CANCELLIST_{name.upper()}", value)
    return load()


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    with pytest.raises(SettingsError) as raised:
        given(monkeypatch, name, value)
    text = str(raised.value)
    assert text.startswith(f"CANCELLIST_{name.upper()}: ")
    assert text.isprintable()
    assert KEY not in text
    return text


# quotes


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    ("begin", "end"), [('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("`", "`"), (" '", "' "), ('"', ""), ("", "'")]
)
def test_a_quote_around_a_value_is_refused_naming_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, begin: str, end: str
) -> None:
    assert "quote" in refusal(monkeypatch, name, f"{begin}{VALUES[name]}{end}")


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("name", VALUES)
def test_in_dotenv_quotes_are_taken_off_once(monkeypatch: pytest.MonkeyPatch, name: str, quote: str) -> None:
    value = VALUES[name].replace('"', '\\"') if quote == '"' else VALUES[name]
    Path(".env").write_text(f"CANCELLIST_{name.upper()}={quote}{value}{quote}\n", encoding="utf-8")
    quoted = load()
    Path(".env").unlink()
    assert quoted == given(monkeypatch, name, VALUES[name])
    monkeypatch.delenv(f"CANCELLIST_{name.upper()}")
    assert quoted != load()


# blanks


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("around", [" ", "\n", "\r\n", "\t", "\u00a0"])
def test_blanks_and_newlines_around_a_value_do_not_count(
    monkeypatch: pytest.MonkeyPatch, name: str, around: str
) -> None:
    assert given(monkeypatch, name, f"{around}{VALUES[name]}{around}") == given(monkeypatch, name, VALUES[name])


@pytest.mark.parametrize("name", ["reference_pattern", "accounts__north__reference_pattern"])
@pytest.mark.parametrize("around", [" ", "\n", "\t", "\u00a0"])
def test_blanks_around_a_pattern_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, around: str) -> None:
    assert "white space around" in refusal(monkeypatch, name, f"{VALUES[name]}{around}")
    assert "white space around" in refusal(monkeypatch, name, f"{around}{VALUES[name]}")


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_blanks_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert given(monkeypatch, name, " \n") == Settings(_env_file=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_url", "http://127.0.0.1:1 /a"), ("api_url", "http://a\nb"), ("api_url", "http://a\u200b"),
        ("api_url", "http://a:port"), ("api_url", "http://a:99999"), ("redis_url", "redis://a b:1"),
        ("redis_url", "redis://a\n:1"), ("redis_url", "unix:///a\nb"), ("api_key", f"{KEY}\n{KEY}"),
    ],
)  # fmt: skip
def test_what_cannot_be_one_word_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    refusal(monkeypatch, name, value)


def test_a_value_that_is_not_utf_8_is_refused() -> None:
    for name in ("CANCELLIST_API_URL", "CANCELLIST_REFERENCE_PATTERN", "CANCELLIST_BURST", "CANCELLIST_API_KEY"):
        done = said_by("load()", {name: b"\xff\xfe"})
        assert done.returncode == 1
        assert done.stderr.startswith(f"SettingsError: {name}: ".encode())
        assert done.stderr.count(b"\n") == 1


# paths


def test_a_path_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert given(monkeypatch, "data_dir", "~/data").data_dir == Path("/home/somebody/data")
    assert given(monkeypatch, "heartbeat_dir", "~").heartbeat_dir == Path("/home/somebody")
    Path("c.toml").write_text("[accounts.north]\napi_key_file = '~/key'\n", encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    assert load().of("north").api_key_file == Path("/home/somebody/key")


def test_a_home_folder_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no home folder is known" in refusal(monkeypatch, "data_dir", "~no-such-user/data")


def said_by(call: str, environment: dict[str, bytes], *before: str) -> "subprocess.CompletedProcess[bytes]":
    """What a process without HOME and other settings says."""
    program = (
        "import sys\nfrom cancellist.config.loading import load\nfrom cancellist.jobs.errors import CancellistError\n"
        "from cancellist.jobs.ledger.server.embedded import EmbeddedServer\n"
        f"try:\n    {call}\nexcept CancellistError as error:\n    sys.exit(f'{{type(error).__name__}}: {{error}}')"
    )
    own = {b"PYTHONPATH": os.fsencode(ROOT), b"PATH": os.fsencode(os.environ["PATH"])}
    return subprocess.run(
        [*before, sys.executable, "-c", program],
        env=own | {os.fsencode(name): value for name, value in environment.items()},
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip


def test_without_home_and_user_only_who_needs_the_folder_is_told() -> None:
    unknown = ("unshare", "--user", "--map-user=54321", "--map-group=54321")
    if subprocess.run([*unknown, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no user namespaces")
    done = said_by("load()", {}, *unknown)
    assert (done.returncode, done.stderr) == (0, b"")
    done = said_by("EmbeddedServer(load().data_dir)", {}, *unknown)
    assert done.returncode == 1
    assert done.stderr.startswith(b"LedgerUnavailableError: there is no home folder")
    assert b"CANCELLIST_DATA_DIR" in done.stderr
    assert done.stderr.count(b"\n") == 1


# an orchestrator's variables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CANCELLIST_PORT", "tcp://10.0.0.1:8088"),
        ("CANCELLIST_SERVICE_HOST", "10.0.0.1"),
        ("CANCELLIST_SERVICE_PORT", "8088"),
        ("CANCELLIST_SERVICE_PORT_HTTP", "8088"),
        ("CANCELLIST_PORT_8088_TCP", "tcp://10.0.0.1:8088"),
        ("CANCELLIST_PORT_8088_TCP_PROTO", "tcp"),
        ("CANCELLIST_PORT_8088_TCP_PORT", "8088"),
        ("CANCELLIST_PORT_8088_TCP_ADDR", "10.0.0.1"),
        ("CANCELLIST_PORT_53_UDP", "udp://10.0.0.1:53"),
        ("CANCELLIST_REDIS_PORT", "tcp://10.0.0.2:6379"),
        ("CANCELLIST_REDIS_SERVICE_HOST", "10.0.0.2"),
        ("CANCELLIST_REDIS_SERVICE_PORT_TLS_2", "6380"),
        ("CANCELLIST_REDIS_PORT_6379_TCP_ADDR", "10.0.0.2"),
        ("CANCELLIST_NAME", "/worker/cancellist"),
        ("CANCELLIST_BURST_PORT", "tcp://10.0.0.2:1"),
    ],
)
def test_what_an_orchestrator_says_of_a_service_is_neither_a_setting_nor_a_misspelt_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    told: list[str] = []
    assert load(told.append) == Settings(_env_file=None)
    assert told == []


@pytest.mark.parametrize(("name", "value"), [("PORT", "8088"), ("NAME", "north"), ("SERVICE", "x"), ("TCP_ADDR", "x")])
def test_what_only_looks_like_it_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CANCELLIST_{name}", value)
    told: list[str] = []
    load(told.append)
    assert [line.partition(" ")[0] for line in told] == [f"CANCELLIST_{name}"]


def test_a_setting_whose_name_a_service_takes_keeps_its_own_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from cancellist.config import sources

    monkeypatch.setenv("CANCELLIST_SERVE_PORT", "tcp://10.0.0.1:8088")  # of a service named `cancellist-serve`
    assert "serve_port" not in sources.read(None, ("serve_port",)).values
    monkeypatch.setenv("CANCELLIST_SERVE_PORT", "8088")
    assert sources.read(None, ("serve_port",)).values == {"serve_port": "8088"}
