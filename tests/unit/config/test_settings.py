"""Settings: where they come from, what a wrong one is answered, and that the documents say the same as the code."""

import re
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from cancellist.config.flow_settings import FlowSettings
from cancellist.config.loading import load, odd_names
from cancellist.config.setting_names import REMOVED
from cancellist.config.settings import LOCAL_SANDBOX, Settings, is_loopback, log_format
from cancellist.jobs.access import Access, Token, digest_of
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.flow import concurrency, latency, random_loss
from cancellist.jobs.flow.batch_size import ListSearch
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.worker.flow_policy import flow_policy, list_search
from tests.support import ROOT

FIELDS = {name: field for name, field in Settings.model_fields.items() if name != "accounts"}  # these are tables
KEY = "q9-very-secret"


# where they come from


def test_without_any_setting_there_is_an_embedded_server_and_the_local_sandbox() -> None:
    settings = load()
    assert settings.redis_url is None
    assert settings.data_dir.is_absolute()
    assert settings.api_url == LOCAL_SANDBOX
    assert settings.api_key is None
    assert settings.interval_us == 0


def test_the_environment_wins_over_dotenv_and_that_over_the_toml_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_text("max_attempts = 3\nburst = 3\nlinger_ms = 3\n", encoding="utf-8")
    Path(".env").write_text("CANCELLIST_MAX_ATTEMPTS=2\nCANCELLIST_BURST=2\nUNRELATED=x\n", encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    monkeypatch.setenv("CANCELLIST_MAX_ATTEMPTS", "1")
    settings = load()
    assert (settings.max_attempts, settings.burst, settings.linger_ms) == (1, 2, 3)


def test_what_a_command_line_says_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_MAX_ATTEMPTS", "1")
    assert load(max_attempts=5).max_attempts == 5


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.setenv(f"CANCELLIST_{name.upper()}", "")
    assert load() == Settings()
    assert load().api_key is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * 86_400),
        ("12h", 43_200),
        ("1h30m", 5_400),
        ("90", 90),
        ("0.5", 0.5),
        ("1.5h", 5_400),
        ("2w", 1_209_600),
    ],
)
def test_a_span_is_a_number_of_seconds_or_has_units(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("CANCELLIST_RESULTS_KEEP", text)
    assert load().results_keep == seconds


def test_a_span_in_the_toml_file_is_a_number_or_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_text('results_keep = "2d"\njobs_keep = 60\ncall_timeout = 1.5\n', encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    settings = load()
    assert (settings.results_keep, settings.jobs_keep, settings.call_timeout) == (172_800, 60, 1.5)


def test_tokens_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    written = [Token(name, frozenset({Access.READ}), digest_of(name)).setting for name in ("one", "two", "three")]
    monkeypatch.setenv("CANCELLIST_API_TOKENS", f"{written[0]}, {written[1]},,{written[2]} ")
    assert [token.get_secret_value() for token in load().api_tokens] == written
    assert [(token.name, token.roles) for token in load().tokens] == [
        (name, {Access.READ}) for name in ("one", "two", "three")
    ]


def test_a_rate_becomes_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_MAX_CALLS_PER_SECOND", "8")
    assert load().interval_us == 125_000


def test_the_base_url_loses_its_closing_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_API_URL", "https://platform.example/base/")
    assert load().api_url == "https://platform.example/base"


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_which_hosts_are_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_lines_are_json_where_there_is_no_terminal_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert log_format(load()) == "json"
    assert log_format(load(log_format="console")) == "console"


# what a wrong one is answered


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("MAX_ATTEMPTS", "many", "'many' is not a whole number from 1 to 100; write such as 8"),
        ("MAX_ATTEMPTS", "0", "'0' is not a whole number from 1 to 100; write such as 8"),
        ("MAX_CONCURRENT_CALLS", "5000", "is not a whole number from 1 to 1000; write such as 8"),
        ("MAX_CALLS_PER_SECOND", "0", "is not a number above 0 and up to 10000; write such as 5"),
        ("MAX_CALLS_PER_SECOND", "nan", ""),
        ("LEASE_SECONDS", "inf", "is not a number from 1 to 300; write such as 9"),
        ("CALL_TIMEOUT", "soon", "write such as 30s"),
        ("CALL_TIMEOUT", "-5", "write such as 30s"),
        ("CALL_TIMEOUT", "2h", "7200 is not a number of seconds above 0 and up to 3600; write such as 30"),
        ("RESULTS_KEEP", "0", "is not a number of seconds above 0; write such as 2592000"),
        ("FSYNC", "no", "'no' is not one of always, everysec"),
        ("LOG_LEVEL", "loud", "'loud' is not one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "'xml' is not one of console, json; write such as json"),
        ("NAMESPACE", "a b", "must be 1 to 64 letters, digits, dots, - and _; write such as cancellist"),
        ("API_URL", "ftp://platform.example", "http:// or https://"),
        ("API_URL", "https://", "with a host"),
        ("API_URL", "https://user:pass@platform.example", "CANCELLIST_API_KEY"),
        ("API_URL", "https://platform.example/?key=1", "no credentials, query or fragment"),
        ("REFERENCE_PATTERN", "EC-(", "not a regular expression"),
    ],
)
def test_a_wrong_value_is_answered_in_one_line_with_the_setting_and_the_mend(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, mend: str
) -> None:
    monkeypatch.setenv(f"CANCELLIST_{name}", value)
    with pytest.raises(SettingsError) as raised:
        load()
    text = str(raised.value)
    assert text.startswith(f"CANCELLIST_{name}: ")
    assert mend in text
    assert "\n" not in text


def test_several_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_BURST", "x")
    monkeypatch.setenv("CANCELLIST_FSYNC", "y")
    with pytest.raises(SettingsError, match=r"CANCELLIST_BURST: .*; CANCELLIST_FSYNC: "):
        load()


def test_settings_that_do_not_fit_each_other_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_RETRY_BASE", "50")
    with pytest.raises(SettingsError, match=r"^CANCELLIST_RETRY_CAP: must not be below RETRY_BASE$"):
        load()


def test_a_key_does_not_travel_in_the_clear_but_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_API_KEY", KEY)
    assert load().api_key
    monkeypatch.setenv("CANCELLIST_API_URL", "http://platform.example")
    with pytest.raises(SettingsError, match="must be https://"):
        load()


def test_a_host_that_wants_a_key_must_be_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    load().check_key()
    monkeypatch.setenv("CANCELLIST_API_URL", "https://platform.example")
    with pytest.raises(SettingsError, match=r"CANCELLIST_API_KEY is not set, and platform\.example wants one"):
        load().check_key()
    monkeypatch.setenv("CANCELLIST_API_KEY", KEY)
    load().check_key()


def test_a_configuration_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_CONFIG", "none.toml")
    with pytest.raises(SettingsError, match=r"CANCELLIST_CONFIG names none\.toml, which does not exist"):
        load()


def test_a_configuration_file_that_is_not_toml_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_text("max_attempts: 3\n", encoding="utf-8")
    monkeypatch.setenv("CANCELLIST_CONFIG", "c.toml")
    with pytest.raises(SettingsError, match=r"c\.toml is not TOML"):
        load()


# secrets


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_API_KEY", KEY)
    monkeypatch.setenv("CANCELLIST_API_TOKENS", f"one:read:{digest_of(KEY)},two:read+submit:{digest_of(f'x{KEY}')}")
    monkeypatch.setenv("CANCELLIST_REDIS_URL", f"redis://user:{KEY}@server.example")
    settings = load()
    assert settings.api_key
    assert settings.api_key.get_secret_value() == KEY
    for shown in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert KEY not in shown
        assert digest_of(KEY) not in shown


@pytest.mark.parametrize(
    "wrong",
    [{"API_URL": f"https://u:{KEY}@h"}, {"API_URL": "http://h", "API_KEY": KEY}, {"BURST": "x", "API_KEY": KEY}],
)
def test_no_error_holds_a_secret(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(f"CANCELLIST_{name}", value)
    with pytest.raises(SettingsError) as raised:
        load()
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


# the documents


def bounds(field: FieldInfo) -> str:
    """What a setting may be, as docs/reference/settings.md has it."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    literal = next((kind for kind in (field.annotation, *kinds) if get_origin(kind) is Literal), None)
    if literal:
        return ", ".join(f"`{value}`" for value in get_args(literal))
    found: dict[type, Any] = {type(limit): limit for limit in field.metadata}
    low = f"{found[Ge].ge:.15g}" if Ge in found else f"above {found[Gt].gt:.15g}" if Gt in found else ""
    high = f"{found[Le].le:.15g}" if Le in found else ""
    return f"{low} to {high}" if low and high else low


def example_entries() -> list[tuple[str, str, str]]:
    """(name, value, comment) of .env.example."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return [(n, v.strip("'"), c) for c, n, v in re.findall(r"^# (.*)\nCANCELLIST_(\w+)=(.*)$", text, re.MULTILINE)]


def reference_rows() -> list[tuple[str, str, str, str]]:
    """(name, default, range, meaning) of docs/reference/settings.md."""
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [(name, default.strip(), limits.strip(), meaning.strip()) for name, default, limits, meaning in rows]


def parts_of(policy: FlowPolicy) -> tuple[Any, ...]:
    """The policies that a policy of flow control is made of."""
    return (policy.limiter, policy.random_loss, policy.round_trips, policy.pacing, policy.list_size, policy.breaker)


def constants(policy: FlowPolicy) -> dict[str, Any]:
    """Every constant of a policy."""
    return {f"{type(part).__name__}.{name}": value for part in parts_of(policy) for name, value in asdict(part).items()}


def ranges(policy: type) -> dict[str, tuple[float, float]]:
    """The ranges of a policy's constants, as its docstring states them."""
    text = " ".join(str(policy.__doc__).split())
    names = [field.name for field in fields(policy)]
    parts = re.split(rf" ({'|'.join(names)}): ", text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {
        name: (float(low), float(high))
        for name, meaning in found.items()
        for low, high in re.findall(r"\(([\d.]+) to ([\d.]+)\)", meaning)
    }


def test_every_constant_of_the_flows_policies_states_its_range_and_is_within_it() -> None:
    policy = FlowPolicy(8)
    for part in parts_of(policy):
        values = asdict(part)
        stated = ranges(type(part))
        assert stated.keys() == values.keys()
        assert all(stated[name][0] <= value <= stated[name][1] for name, value in values.items())


def test_each_setting_of_flow_control_changes_its_policy_alone_and_the_defaults_are_as_the_scenarios_are_played() -> (
    None
):
    bounds_of = {"ceiling": 8, "max_references": 100, "interval_us": 0}
    plain = FlowSettings()
    assert flow_policy(plain, **bounds_of) == FlowPolicy(8)
    before = constants(flow_policy(plain, **bounds_of))
    for name, setting in FlowSettings.model_fields.items():
        least = next(limit.ge for limit in setting.metadata if isinstance(limit, Ge))
        after = constants(flow_policy(FlowSettings(**{name: least}), **bounds_of))
        assert [value for one, value in after.items() if value != before[one]] == [least]
    assert list_search(FlowSettings(size_explore_every=50)) == ListSearch(look_every=50)


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_a_setting_that_was_removed_is_named_as_such(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert name.lower() not in FIELDS
    monkeypatch.setenv(f"CANCELLIST_{name}", "1")
    assert odd_names() == [f"CANCELLIST_{name} is no longer a setting and is ignored: it is a constant of flow control"]
    file = tmp_path / "cancellist.toml"
    file.write_text(f"{name.lower()} = 1\n")
    monkeypatch.setenv("CANCELLIST_CONFIG", str(file))
    with pytest.raises(SettingsError, match="is not a setting any more: it is a constant of flow control, remove it"):
        load()


MATHEMATICS = {
    # No matter of taste: what holds before anything is known, and the odds and errors of tests behind the settings.
    concurrency: {"UNKNOWN_ROUND_MS", "_LATELY", "_NEW"},
    latency: {"_SMOOTH", "_SAME", "_FEWEST", "_SHORTEST_MS", "_ERROR", "_MOST"},
    random_loss: {
        "_SHARES_APART", "_APART", "_STEEP", "_FEWEST", "_AGAIN", "_LONGEST", "_SPREADS_OVER", "_SPREADS_UNDER",
        "_ONCE", "_CAPPED",
    },
}  # fmt: skip


@pytest.mark.parametrize("module", MATHEMATICS, ids=lambda module: module.__name__)
def test_a_constant_of_a_controller_is_in_its_policy_unless_it_is_mathematics(module: ModuleType) -> None:
    assert {name for name, value in vars(module).items() if isinstance(value, int | float)} == MATHEMATICS[module]


def test_the_example_has_every_setting_with_its_meaning() -> None:
    wanted = [(name.upper(), field.description) for name, field in FIELDS.items()]
    assert sorted((name, comment) for name, _, comment in example_entries()) == sorted(wanted)


def test_the_example_as_it_is_changes_nothing() -> None:
    given = Settings(_env_file=ROOT / ".env.example")
    assert given == Settings()


def test_the_example_spells_every_default_out_and_no_secret() -> None:
    unset = {name for name, field in FIELDS.items() if field.default_factory or field.default is None}
    assert {name.lower() for name, value, _ in example_entries() if not value} == unset
    assert {"api_key", "api_tokens", "redis_url"} <= unset


def test_the_reference_has_every_setting_with_its_range_and_meaning() -> None:
    wanted = [(name.upper(), bounds(field), field.description) for name, field in FIELDS.items()]
    assert sorted((name, limits, meaning) for name, _, limits, meaning in reference_rows()) == sorted(wanted)


def test_the_reference_has_the_same_defaults_as_the_example() -> None:
    shown = {name: re.match(r"`(.*)`", default) for name, default, _, _ in reference_rows()}
    values = {name: match.group(1).replace("\\|", "|") if match else "" for name, match in shown.items()}
    assert values == {name: value for name, value, _ in example_entries()}
