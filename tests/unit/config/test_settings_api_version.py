"""The version of the platform's API: the one setting that may be set to nothing, wherever it is set."""

from pathlib import Path

import pytest

from cancellist.cli.actions.doctor.platform import subscription
from cancellist.config.loading import load
from cancellist.jobs.errors import SettingsError


def versions(monkeypatch: pytest.MonkeyPatch, toml: str, dotenv: str, environment: dict[str, str]) -> tuple[str, str]:
    """The version of `default` and of `north`."""
    Path("c.toml").write_text(toml, encoding="utf-8")
    Path(".env").write_text(dotenv, encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load()
    return settings.of("default").api_version, settings.of("north").api_version


TOP, NORTH = "CANCELLIST_API_VERSION", "CANCELLIST_ACCOUNTS__NORTH__API_VERSION"


@pytest.mark.parametrize(
    ("toml", "dotenv", "environment", "wanted"),
    [
        ("", "", {}, ("1.1", "1.1")),
        ("", "", {TOP: ""}, ("", "")),
        ("", "", {TOP.lower(): ""}, ("", "")),
        ("", "", {NORTH: ""}, ("1.1", "")),
        ("", "", {TOP: "", NORTH: "2"}, ("", "2")),
        ("", "", {TOP: " 1.2 "}, ("1.2", "1.2")),
        ("", f"{TOP}=\n", {}, ("", "")),
        ("", f"{NORTH}=\n", {}, ("1.1", "")),
        ("", f"{TOP}=\n", {TOP: "2"}, ("2", "2")),
        ("", f"{TOP}=2\n", {TOP: ""}, ("", "")),
        ('api_version = ""\n', "", {}, ("", "")),
        ('[accounts.north]\napi_version = ""\n', "", {}, ("1.1", "")),
        ('[accounts.north]\napi_version = "2"\n', f"{NORTH}=\n", {}, ("1.1", "")),
        ('[accounts.north]\napi_version = "2"\n', "", {NORTH: ""}, ("1.1", "")),
    ],
)
def test_an_empty_version_is_none_and_wins_as_any_other_value(monkeypatch, toml, dotenv, environment, wanted) -> None:
    assert versions(monkeypatch, toml, dotenv, environment) == wanted


@pytest.mark.parametrize("value", ["1\r\nx: y", "1.1é", "v" * 101, "1\t1"])
def test_what_no_header_can_carry_is_no_version(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(TOP, value)
    with pytest.raises(SettingsError, match=r"^CANCELLIST_API_VERSION: must be a version such as 1\.1") as raised:
        load()
    assert "\n" not in str(raised.value)


def test_the_doctor_names_the_same_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NORTH, "2")
    settings = load()
    assert [subscription(settings, name).version for name in ("default", "north")] == ["1.1", "2"]
