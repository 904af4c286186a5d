"""Several accounts: what each goes by, whose key goes where, and what a wrong or misspelt one is answered."""

import re
from pathlib import Path

import pytest

from cancellist.config.account_settings import AccountSettings
from cancellist.config.api_keys import is_open, read_key
from cancellist.config.loading import load
from cancellist.config.settings import LOCAL_SANDBOX, Settings
from cancellist.jobs.errors import SettingsError
from tests.support import ROOT

KEY, OTHER_KEY = "q9-very-secret", "q9-also-secret"
HOST = "https://platform.example"


def given(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"CANCELLIST_{name}", value)


def toml(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    Path("c.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")


def wrong() -> str:
    with pytest.raises(SettingsError) as raised:
        load()
    text = str(raised.value)
    assert "\n" not in text
    assert KEY not in text
    assert OTHER_KEY not in text
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return text


# what each goes by


def test_without_any_account_there_is_the_default_one() -> None:
    settings = load()
    assert settings.account_names == ("default",)
    assert settings.of("default").api_url == LOCAL_SANDBOX
    assert settings.of("default") == settings.of("unknown")


def test_an_account_takes_what_it_does_not_set_from_the_top_level(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch, MAX_ATTEMPTS="3", LINGER_MS="7", ACCOUNTS__NORTH__LINGER_MS="9", ACCOUNTS__NORTH__CALL_TIMEOUT="5s"
    )
    settings = load()
    assert settings.account_names == ("default", "north")
    north, default = settings.of("north"), settings.of("default")
    assert (north.max_attempts, north.linger_ms, north.call_timeout) == (3, 9, 5)
    assert (default.max_attempts, default.linger_ms, default.call_timeout) == (3, 7, 30)


def test_every_setting_of_an_account_can_be_given_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "API_URL": HOST, "API_KEY": KEY, "MAX_CONCURRENT_CALLS": "2", "MAX_CALLS_PER_SECOND": "4", "BURST": "5",
        "MAX_REFERENCES_PER_CALL": "6", "CALL_TIMEOUT": "7s", "MAX_ATTEMPTS": "9", "RETRY_BASE": "1s",
        "RETRY_CAP": "2s", "DEALLOCATE_FIRST": "true", "REFUSAL_WORDS": '{"gone": "unknown"}', "LINGER_MS": "3",
        "REFERENCE_PATTERN": "S-[0-9]{8}", "API_VERSION": "1.2", "HOLD": "5m",
        "MAX_REFUSED": "5%", "MAX_UNCONFIRMED": "10", "GUARD_MAX_REFERENCES": "11", "GUARD_MAX_PER_DAY": "12",
        "GUARD_MAX_SHARE": "13.5", "GUARD_UNUSUAL": "14", "APPROVE_ABOVE": "15", "APPROVALS_REQUIRED": "2",
        "APPROVAL_KEEP": "1h", "CANARY": "20", "CANARY_ABOVE": "500", "SNAPSHOT": "true", "REINSTATE": "true",
        "PLAN_KEEP": "2h", "PLAN_READ_ALL": "50",
    }  # fmt: skip
    assert {name.lower() for name in values} | {"api_key_file"} == set(AccountSettings.model_fields)
    given(monkeypatch, **{f"ACCOUNTS__NORTH__{name}": value for name, value in values.items()})
    north = load().of("north")
    assert north.api_key
    assert north.api_key.get_secret_value() == KEY
    assert (north.api_url, north.max_concurrent_calls, north.interval_us, north.burst) == (HOST, 2, 250_000, 5)
    assert (north.call_timeout, north.retry_base, north.retry_cap, north.deallocate_first) == (7, 1, 2, True)
    assert north.refusal_words == {"gone": "unknown"}
    assert (north.reference_pattern, north.api_version) == ("S-[0-9]{8}", "1.2")
    assert north.safeguards.hold_ms == 300_000
    assert (north.plan_keep, north.plan_read_all) == (7200, 50)
    assert north.safeguards.stop.packed() == "refused:5% unconfirmed:10"
    guard = "references:11 day:12 share:13.5 unusual:14 above:15 approvals:2 keep:3600000"
    assert north.safeguards.guard.packed() == guard


def test_the_environment_wins_over_dotenv_and_that_over_the_toml_file_key_by_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toml(monkeypatch, "[accounts.North]\nmax_attempts = 3\nburst = 3\nlinger_ms = 3\n[accounts.south]\nburst = 4\n")
    Path(".env").write_text("CANCELLIST_ACCOUNTS__NORTH__MAX_ATTEMPTS=2\nCANCELLIST_ACCOUNTS__north__BURST=2\n")
    given(monkeypatch, ACCOUNTS__NORTH__MAX_ATTEMPTS="1", ACCOUNTS__NORTH__LINGER_MS="")
    settings = load()
    assert settings.account_names == ("default", "north", "south")
    north = settings.of("north")
    assert (north.max_attempts, north.burst, north.linger_ms) == (1, 2, 3)
    assert settings.of("south").burst == 4


def test_the_default_account_may_be_given_as_one_too_and_others_do_not_take_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toml(monkeypatch, "burst = 2\n[accounts.default]\nburst = 3\n[accounts.north]\nlinger_ms = 1\n")
    settings = load()
    assert (settings.of("default").burst, settings.of("north").burst) == (3, 2)


def test_a_top_level_without_the_key_that_its_host_wants_is_no_account_where_there_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given(monkeypatch, API_URL=HOST, ACCOUNTS__NORTH__API_KEY=KEY)
    assert load().account_names == ("north",)
    given(monkeypatch, API_KEY=OTHER_KEY)
    assert load().account_names == ("default", "north")


# whose key goes where


@pytest.mark.parametrize(
    ("url", "inherited"),
    [
        (None, True), (HOST, True), (f"{HOST}:443/v2", True), (f"{HOST}:444", False), ("https://other.example", False),
        ("https://platform.example.org", False), (LOCAL_SANDBOX, False),
    ],
)  # fmt: skip
def test_a_key_is_taken_from_the_top_level_for_its_own_host_only(
    monkeypatch: pytest.MonkeyPatch, url: str | None, inherited: bool
) -> None:
    given(monkeypatch, API_URL=HOST, API_KEY=KEY, ACCOUNTS__NORTH__BURST="2")
    if url:
        given(monkeypatch, ACCOUNTS__NORTH__API_URL=url)
    assert load().key("north") == (KEY if inherited else None)


def test_an_account_of_another_host_must_have_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, API_URL=HOST, API_KEY=KEY, ACCOUNTS__NORTH__API_URL="https://other.example")
    load().check_key("default")
    with pytest.raises(
        SettingsError, match=r"^CANCELLIST_ACCOUNTS__NORTH__API_KEY is not set, and other\.example wants"
    ):
        load().check_key("north")
    given(monkeypatch, ACCOUNTS__NORTH__API_KEY=OTHER_KEY)
    load().check_key("north")
    assert load().key("north") == OTHER_KEY


def test_a_key_of_its_own_stands_in_place_of_the_top_levels_in_either_form(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("key").write_text(f"\n  {KEY}\n", encoding="utf-8")
    given(monkeypatch, API_KEY_FILE="key", ACCOUNTS__NORTH__API_KEY=OTHER_KEY)
    assert (load().key("default"), load().key("north"), load().key("none")) == (KEY, OTHER_KEY, KEY)


def test_a_key_is_set_in_one_way_only(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, ACCOUNTS__NORTH__API_KEY=KEY, ACCOUNTS__NORTH__API_KEY_FILE="key")
    assert wrong() == "CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE: API_KEY is set too; set one of them"
    given(monkeypatch, API_KEY=KEY, API_KEY_FILE="key")
    assert wrong() == "CANCELLIST_API_KEY_FILE: API_KEY is set too; set one of them"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"), (b" \n", "holds no key"), (f"{KEY}\n{KEY}".encode(), "is not a key"),
        (b"\xff\xfe" + KEY.encode(), "is not a text file"), ("schlüssel".encode(), "is not a key"),
        (b"x" * 5000, "is not a key"), (f'"{KEY}"\n'.encode(), "with a quote"), (f"'{KEY}'".encode(), "with a quote"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_key_is_an_error_that_names_setting_and_file(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
) -> None:
    if content is not None:
        Path("key").write_bytes(content)
    given(monkeypatch, ACCOUNTS__NORTH__API_KEY_FILE="key")
    with pytest.raises(SettingsError) as raised:
        load().key("north")
    assert str(raised.value).startswith("CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE: key ")
    assert says in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_key_file_may_begin_with_a_byte_order_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("key").write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    given(monkeypatch, API_KEY_FILE="key")
    assert load().key("default") == KEY


def test_a_file_is_named_by_the_setting_that_it_was_taken_from(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, API_KEY_FILE="none", ACCOUNTS__NORTH__BURST="2")
    with pytest.raises(SettingsError, match=r"^CANCELLIST_API_KEY_FILE: none cannot be read"):
        load().key("north")


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        read_key(tmp_path, "X")


@pytest.mark.parametrize(("mode", "open_"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_key_file_that_others_may_read_is_known(tmp_path: Path, mode: int, open_: bool) -> None:
    file = tmp_path / "key"
    file.write_text(KEY, encoding="utf-8")
    file.chmod(mode)
    assert is_open(file) is open_


def test_no_secret_of_an_account_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, ACCOUNTS__NORTH__API_KEY=KEY)
    settings = load()
    assert settings.key("north") == KEY
    for shown in (repr(settings), str(settings.of("north")), settings.model_dump_json(), repr(settings.model_dump())):
        assert KEY not in shown


# what a wrong or misspelt one is answered


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NORTH__API_URL", "ftp://x", "CANCELLIST_ACCOUNTS__NORTH__API_URL: must be an http:// or https:// URL"),
        ("NORTH__BURST", "many", "CANCELLIST_ACCOUNTS__NORTH__BURST: 'many' is not a whole number from 1 to 1000"),
        (
            "NORTH__MAX_ATTEMPTS",
            "0",
            "CANCELLIST_ACCOUNTS__NORTH__MAX_ATTEMPTS: '0' is not a whole number from 1 to 100",
        ),
        ("NORTH__RETRY_BASE", "50", "CANCELLIST_ACCOUNTS__NORTH__RETRY_CAP: must not be below RETRY_BASE"),
        ("NORTH__REFERENCE_PATTERN", "(", "CANCELLIST_ACCOUNTS__NORTH__REFERENCE_PATTERN: the reference pattern"),
        ("NORTH__REFUSAL_WORDS", "no", "CANCELLIST_ACCOUNTS__NORTH__REFUSAL_WORDS: must be a JSON object"),
        ("NORTH__API_ULR", HOST, "CANCELLIST_ACCOUNTS__NORTH__API_ULR: no such setting; did you mean API_URL?"),
        ("NORTH__NAMESPACE", "x", "CANCELLIST_ACCOUNTS__NORTH__NAMESPACE: no such setting"),
        ("NORTH", "x", "CANCELLIST_ACCOUNTS__NORTH: "),
        ("_NORTH__BURST", "2", "CANCELLIST_ACCOUNTS___NORTH: an account's name has"),
        ("N" * 33 + "__BURST", "2", "an account's name has"),
        ("NORTH__API_KEY", f"{KEY} {KEY}", "CANCELLIST_ACCOUNTS__NORTH__API_KEY: is not a key"),
    ],
)
def test_a_wrong_setting_of_an_account_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    given(monkeypatch, **{f"ACCOUNTS__{name}": value})
    assert says in wrong()


def test_a_key_does_not_travel_in_the_clear_for_any_account(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, ACCOUNTS__NORTH__API_KEY=KEY, ACCOUNTS__NORTH__API_URL="http://platform.example")
    assert wrong().startswith("CANCELLIST_ACCOUNTS__NORTH__API_URL: must be https://")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_atempts = 3\n", "c.toml: max_atempts is not a setting; did you mean max_attempts?"),
        ("MAX_ATTEMPTS = 3\n", "c.toml: MAX_ATTEMPTS is not a setting; did you mean max_attempts?"),
        ("[acounts.north]\nburst = 1\n", "c.toml: acounts is not a setting; did you mean accounts?"),
        ("[accounts.north]\nbust = 1\n", "CANCELLIST_ACCOUNTS__NORTH__BUST: no such setting; did you mean BURST?"),
        ("[accounts.'a b']\nburst = 1\n", "CANCELLIST_ACCOUNTS__A B: an account's name has"),
        (
            "[accounts.A]\n[accounts.a]\n",
            "c.toml: two accounts have the same name: upper and lower case count as equal",
        ),
        ("accounts = 3\n", "CANCELLIST_ACCOUNTS: must be tables, [accounts.NAME]"),
    ],
)
def test_a_misspelt_name_in_the_toml_file_is_an_error_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    toml(monkeypatch, text)
    assert says in wrong()


@pytest.mark.parametrize(
    ("text", "values", "says"),
    [
        ("accounts = 3\n", {"ACCOUNTS__NORTH__BURST": "2"}, "CANCELLIST_ACCOUNTS: must be tables"),
        ("[accounts.north]\nburst = 2\n", {"ACCOUNTS": "{}"}, "CANCELLIST_ACCOUNTS: must be tables"),
        ("[accounts]\nnorth = 3\n", {"ACCOUNTS__NORTH__BURST": "2"}, "CANCELLIST_ACCOUNTS__NORTH: "),
        ("[accounts.north]\nburst = 2\n", {"ACCOUNTS__NORTH": "x"}, "CANCELLIST_ACCOUNTS__NORTH: "),
        ("", {"ACCOUNTS__NORTH": "x", "ACCOUNTS__NORTH__BURST": "2"}, "CANCELLIST_ACCOUNTS__NORTH: "),
    ],
)
def test_what_is_no_table_is_not_hidden_by_one_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, text: str, values: dict[str, str], says: str
) -> None:
    toml(monkeypatch, text)
    given(monkeypatch, **values)
    assert says in wrong()


def test_a_misspelt_name_in_the_environment_or_dotenv_is_told_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("CANCELLIST_BRUST=2\nOTHER=x\n", encoding="utf-8")
    given(monkeypatch, API_KYE=KEY, SANDBOX_KEY="x", XYZZY="1", ACCOUNTS__NORTH__BURST="2", MAX_ATTEMPTS="3")
    told: list[str] = []
    load(told.append)
    assert told == [
        "CANCELLIST_API_KYE is not a setting and is ignored; did you mean CANCELLIST_API_KEY?",
        "CANCELLIST_BRUST is not a setting and is ignored; did you mean CANCELLIST_BURST?",
        "CANCELLIST_XYZZY is not a setting and is ignored",
    ]


def test_it_is_told_once_on_standard_error_where_nobody_else_takes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, QQQQ="1")
    load()
    load()
    assert capsys.readouterr().err == "cancellist: CANCELLIST_QQQQ is not a setting and is ignored\n"


# the document


def section() -> str:
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    return text.split("## Several accounts")[1].split("\n## ")[0]


def test_the_reference_names_what_each_account_may_set() -> None:
    listed = "\n".join(re.findall(r"^- (.*)$", section(), re.MULTILINE))
    assert {name.lower() for name in re.findall(r"`([A-Z_]+)`", listed)} == set(AccountSettings.model_fields)


def test_the_references_toml_example_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    toml(monkeypatch, re.search(r"```toml\n(.*?)```", section(), re.DOTALL)[1])
    settings = load()
    assert settings.account_names == ("default", "north", "south")
    assert settings.of("north").host == "platform.example"
    assert (settings.of("south").host, settings.of("south").max_calls_per_second) == ("other.example", 10)


@pytest.mark.parametrize("document", ["docs/reference/settings.md", ".env.example"])
def test_the_examples_of_the_environment_are_accepted(monkeypatch: pytest.MonkeyPatch, document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = re.findall(r"^(?:# )?(CANCELLIST_ACCOUNTS__\S+=\S+)$", text, re.MULTILINE)
    assert len(lines) >= 2
    Path(".env").write_text("\n".join(lines), encoding="utf-8")
    assert load().of("north").max_concurrent_calls == 4
    assert Settings().account_names == ("default", "north")


@pytest.mark.parametrize(
    ("values", "key", "url"),
    [
        ({}, "CANCELLIST_ACCOUNTS__NORTH__API_KEY", "CANCELLIST_API_URL"),
        ({"API_KEY": KEY}, "CANCELLIST_API_KEY", "CANCELLIST_API_URL"),
        ({"API_KEY_FILE": "key"}, "CANCELLIST_API_KEY_FILE", "CANCELLIST_API_URL"),
        ({"API_KEY": KEY, "ACCOUNTS__NORTH__API_URL": HOST},
         "CANCELLIST_ACCOUNTS__NORTH__API_KEY", "CANCELLIST_ACCOUNTS__NORTH__API_URL"),
        ({"API_KEY": KEY, "ACCOUNTS__NORTH__API_KEY_FILE": "key"},
         "CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE", "CANCELLIST_API_URL"),
    ],
)  # fmt: skip
def test_what_is_to_be_mended_is_named_by_the_setting_that_it_was_taken_from(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], key: str, url: str
) -> None:
    given(monkeypatch, ACCOUNTS__NORTH__BURST="2", **values)
    wording = load().wording("north")
    assert (wording.account, wording.key, wording.url) == ("north", key, url)
    assert wording.key_in_file is key.endswith("_FILE")
