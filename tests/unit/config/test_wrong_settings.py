"""A wrong value of any setting: one line that names the setting, says what is accepted, and gives an example."""

import re

import pytest

from cancellist.config.accepted_values import is_secret
from cancellist.config.loading import load
from cancellist.config.settings import Settings
from cancellist.jobs.errors import SettingsError

PYDANTIC = re.compile(r"Input should|should be|should have|should match|unable to|[Vv]alidation|_error|wanted here")
SECRET = "q9-very-secret and long"
TEXTS = {
    "api_url": "ftp://platform.example", "api_key": SECRET, "api_version": "é", "refusal_words": "[1]",
    "reference_pattern": "EC-(", "redis_url": "redis:// x", "namespace": "a b", "max_invalid": "lots",
    "serve_host": "x" * 300, "serve_prefix": "x/", "serve_user_header": "a b", "serve_user_roles": "anna",
    "serve_trusted_proxies": "10.0.0.x", "api_tokens": SECRET, "data_dir": "~nobody9/x", "api_key_file": "~nobody9/x",
    "heartbeat_dir": "~nobody9/x", "receipt_key_file": "~nobody9/x",
    "snapshot_dir": "~nobody9/x", "snapshot_key_file": "~nobody9/x",
    "webhook_allow": "a b", "webhook_key": SECRET, "token": SECRET,
}  # fmt: skip
"""A wrong value of each setting that is a text."""
WITHOUT_EXAMPLE = {"api_key", "api_tokens", "webhook_key", "token"}
"""Settings whose example would be a secret."""
NAMES = sorted(Settings.model_fields.keys() - {"accounts"})


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(f"CANCELLIST_{name.upper()}", value)
    with pytest.raises(SettingsError) as raised:
        load()
    return str(raised.value)


def wrong(name: str) -> list[str]:
    return [TEXTS[name]] if name in TEXTS else ["soon", "-5", "1e99", "nan"]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_is_answered_in_our_own_words(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in wrong(name):
        told = refusal(monkeypatch, name, value)
        assert told.startswith(f"CANCELLIST_{name.upper()}: ")
        assert "\n" not in told
        assert not PYDANTIC.search(told), told
        assert "such as" in told or name in WITHOUT_EXAMPLE, told


@pytest.mark.parametrize("name", NAMES)
def test_a_long_value_is_not_repeated_and_a_short_one_of_a_number_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A secret may be pasted into any setting."""
    field = Settings.model_fields[name]
    if not is_secret(field) and name not in TEXTS:
        assert "soon" in refusal(monkeypatch, name, "soon")
    if not is_secret(field) or name in {"max_invalid", "api_key", "api_tokens", "serve_user_roles", "redis_url"}:
        assert SECRET not in refusal(monkeypatch, name, SECRET)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("API_URL", "https://platform.example:x", "host and port are written such as"),
        ("API_URL", "https://[::1", "host and port are written such as"),
        ("REFUSAL_WORDS", '{"gone": "lost"}', "gone: must be one of cancelled, manifested, unknown, open"),
        ("SERVE_USER_ROLES", "anna:read,bob", "entry 2: must be NAME:ROLE"),
    ],
)
def test_a_wrong_part_of_a_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    assert told in refusal(monkeypatch, name, value)
