"""Files of settings are read whole, or refused in one line that names the file and the line, and shows no value."""

import os
from pathlib import Path

import pytest

from cancellist.config.loading import load, odd_names
from cancellist.config.settings import Settings
from cancellist.jobs.errors import SettingsError

SECRET = "q9-very-secret"
LINE = "CANCELLIST_MAX_CALLS_PER_SECOND=5\n"


def refusal(data: bytes) -> str:
    """What a `.env` of these bytes is answered, by each who reads it."""
    Path(".env").write_bytes(data)
    with pytest.raises(SettingsError) as raised:
        load()
    with pytest.raises(SettingsError, match=r"^\.env"):
        odd_names()
    text = str(raised.value)
    assert SECRET not in text
    assert text.isprintable()
    return text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_in_a_wide_encoding_is_refused(encoding: str, mark: str) -> None:
    text = refusal((mark + LINE).encode(encoding))
    assert text.startswith(".env, line 1: ")
    assert "UTF-8" in text


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_byte_that_is_not_utf_8_is_refused_with_its_line(line_end: str) -> None:
    text = refusal(line_end.join(["# first", "A=b", "CANCELLIST_NAMESPACE=caf\xe9", ""]).encode("latin-1"))
    assert text == ".env, line 3: is not UTF-8: save the file as UTF-8"


def test_a_nul_is_refused_with_its_line() -> None:
    assert refusal(LINE.encode() + b"A=\0\n").startswith(".env, line 2: holds a NUL")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_in_utf_8_is_read_with_or_without_a_mark_whatever_ends_its_lines(mark: bytes, line_end: str) -> None:
    lines = ["CANCELLIST_BURST=2", "", "  # a comment", 'export CANCELLIST_NAMESPACE="a"  # another', "Ü_NOT=", "X='é'"]
    Path(".env").write_bytes(mark + line_end.join([*lines[:4], lines[5], LINE.strip()]).encode())
    settings = load()
    assert (settings.burst, settings.namespace, settings.max_calls_per_second) == (2, "a", 5)


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ([f'CANCELLIST_API_KEY="{SECRET}', LINE], 1, "a quote that begins here is not closed"),
        ([f"CANCELLIST_API_KEY='{SECRET}", LINE], 1, "a quote that begins here is not closed"),
        (["A=1", "", "", f'  CANCELLIST_API_KEY="{SECRET}', LINE], 4, "a quote that begins here is not closed"),
        (["CANCELLIST_API_URL='http://a", LINE, "CANCELLIST_NAMESPACE='"], 1, "is not closed"),  # closed by another's
        (['OTHER="x', LINE, 'MORE="'], 1, "is not closed"),
        (["OTHER='x", " export cancellist_burst =2", "'"], 1, "is not closed"),
        ([LINE, f'CANCELLIST_API_KEY="{SECRET}" {SECRET}'], 2, "more text after the closing quote"),
        ([LINE, SECRET], 2, "has no ="),
        (["CANCELLIST_BURST"], 1, "has no ="),
        (["CANCELLIST_BURST 3"], 1, "cannot be read"),
        (["CANCELLIST_BURST: 3"], 1, "cannot be read"),
        (["=3"], 1, "cannot be read"),
        (["CANCELLIST_BURST =3", "1A=3"], 2, "is not a name"),
        ([f"{SECRET}/+=3"], 1, "is not a name"),
        (["\u201cCANCELLIST_BURST\u201d=3"], 1, "is not a name"),
        (["\u200bCANCELLIST_BURST=3"], 1, "is not a name"),
        (["export A=1", "CANCELLIST_BURST=2", "CANCELLIST_BURST=2"], 3, "CANCELLIST_BURST is set in line 2 too"),
        (["CANCELLIST_BURST=2", "cancellist_burst=3"], 2, "CANCELLIST_BURST is set in line 1 too"),
        ([LINE, f"CANCELLIST_API_KEY=a${{{SECRET}}}b"], 2, "takes a variable in ${...} that is not set"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_refused_with_its_number(lines: list[str], line: int, says: str) -> None:
    text = refusal("\n".join(part.rstrip("\n") for part in lines).encode())
    assert text.startswith(f".env, line {line}: ")
    assert says in text


def test_what_is_not_ours_may_be_set_twice_and_span_lines() -> None:
    Path(".env").write_text(f"A=1\nA=2\nPEM='one\nAbc=\n'\n{LINE}B=${{NONE}}\nC=${{NONE:-x}}\n", encoding="utf-8")
    assert load().max_calls_per_second == 5


def test_a_variable_that_is_used_comes_from_the_file_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PART", "from-outside")
    Path(".env").write_text("B=b\nCANCELLIST_NAMESPACE=${B}-${PART}\nCANCELLIST_BURST=${NONE:-7}\n", encoding="utf-8")
    assert (load().namespace, load().burst) == ("b-from-outside", 7)


def test_a_setting_that_is_set_twice_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_BURST", "2")
    monkeypatch.setenv("cancellist_burst", "3")
    with pytest.raises(SettingsError, match="the same setting: keep one of them"):
        load()


# what is no file


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def large(path: Path) -> None:
    path.write_bytes(b"#" * (2 << 20))


KINDS = [folder, pipe, dangling, circle, device, large]


@pytest.mark.parametrize("make", KINDS)
def test_what_is_no_file_of_settings_is_refused_by_its_name(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    make(Path(".env"))  # type: ignore[operator]
    with pytest.raises(SettingsError, match=r"^\.env "):
        load()
    assert load(_env_file=None).burst == 1
    make(Path("c.toml"))  # type: ignore[operator]
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    with pytest.raises(SettingsError, match=r"^c\.toml "):
        load(_env_file=None)


def test_a_file_that_may_not_be_read_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:  # the tests may run as root, who reads everything
        raise PermissionError(13, "Permission denied")

    Path(".env").write_text(LINE, encoding="utf-8")
    monkeypatch.setattr("cancellist.config.settings_files.os.open", refused)
    with pytest.raises(SettingsError, match=r"^\.env cannot be read: Permission denied$"):
        load()


def test_a_settings_file_that_is_dev_null_is_empty() -> None:
    Path(".env").symlink_to(os.devnull)
    assert load() == load(_env_file=None)


def test_dotenv_may_name_the_toml_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_text("burst = 4\n", encoding="utf-8")
    Path("d.toml").write_text("burst = 5\n", encoding="utf-8")
    Path(".env").write_text("CANCELLIST_CONFIG=c.toml\n", encoding="utf-8")
    assert load().burst == 4
    monkeypatch.setenv("CANCELLIST_CONFIG", "d.toml")
    assert load().burst == 5


def test_a_missing_dotenv_is_no_error() -> None:
    assert load() == Settings() == load(_env_file=None)


# the TOML file


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("max_attempts = 3\n".encode("utf-16"), "c.toml, line 1: the file is UTF-16"),
        (b"burst = 1\nnamespace = 'caf\xe9'\n", "c.toml, line 2: is not UTF-8"),
        (b"burst = 1\n\0", "c.toml, line 2: holds a NUL"),
        (b"burst = 1\nburst = 2\n", "c.toml is not TOML: Cannot overwrite a value (at line 2"),
        (b"burst = 1\nnamespace = 'a\n", "c.toml is not TOML: "),
        (b"x = " + b"[" * 100_000, "c.toml is not TOML: "),
        (b"burst = " + b"9" * 5_000, "c.toml is not TOML: "),
        (b"reference_pattern = \"'EC-.'\"\n", "c.toml: reference_pattern: begins or ends with a quote"),
    ],
)
def test_a_toml_file_is_read_whole_or_refused(data: bytes, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_bytes(data)
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    with pytest.raises(SettingsError) as raised:
        load()
    assert str(raised.value).startswith(says)
    assert str(raised.value).isprintable()


def test_a_toml_file_may_have_a_mark_and_stand_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_bytes(b"\xef\xbb\xbfburst = 4\napi_url = ' http://127.0.0.1:1 '\n")
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setenv("CANCELLIST_CONFIG", " ~/c.toml\n")
    assert (load().burst, load().api_url) == (4, "http://127.0.0.1:1")
