"""The settings of `serve`: what is refused at the start, and what the others mean."""

import ipaddress

import pytest

from cancellist.config.loading import load
from cancellist.jobs.access import ALL, Access
from cancellist.jobs.errors import SettingsError

DIGEST = 64 * "0"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"API_TOKENS": "hello"}, "NAME:ROLE"),
        ({"API_TOKENS": f"a:read:{DIGEST},a:submit:{DIGEST}"}, "two tokens have the same name"),
        ({"API_TOKENS": f"a:fly:{DIGEST}"}, "'fly' is no role"),
        ({"API_TOKENS": f"a::{DIGEST}"}, "is no role"),
        ({"SERVE_PORT": "70000"}, "65535"),
        ({"SERVE_PREFIX": "cancellist"}, "must be a path"),
        ({"SERVE_PREFIX": "/cancellist/"}, "must be a path"),
        ({"SERVE_PREFIX": "/a b"}, "must be a path"),
        ({"SERVE_MAX_BODY": "0"}, "is not a whole number from 1024 to"),
        ({"SERVE_RATE": "0"}, "is not a number above 0"),
        ({"SERVE_USER_HEADER": "X-User"}, "SERVE_TRUSTED_PROXIES"),
        ({"SERVE_USER_HEADER": "X User", "SERVE_TRUSTED_PROXIES": "::1"}, "name of a header"),
        ({"SERVE_USER_ROLES": "a:read"}, "SERVE_USER_HEADER"),
        ({"SERVE_USER_ROLES": "a"}, "NAME:ROLE"),
        ({"SERVE_TRUSTED_PROXIES": "proxy.example"}, "addresses such as"),
        (
            {"SERVE_USER_HEADER": "X", "SERVE_TRUSTED_PROXIES": "::1", "SERVE_USER_ROLES": "a:read,a:submit"},
            "given twice",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"CANCELLIST_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert said in str(refused.value)
    assert "CANCELLIST_" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hello" not in str(refused.value)


def test_the_users_that_a_proxy_names_have_their_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_SERVE_USER_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("CANCELLIST_SERVE_TRUSTED_PROXIES", "10.0.0.7, 10.1.2.3/16,::1")
    monkeypatch.setenv("CANCELLIST_SERVE_USER_ROLES", "alice:read+submit+operate+approve,*:read")
    settings = load()
    assert settings.user_roles == {"alice": ALL, "*": frozenset({Access.READ})}
    assert settings.trusted_proxies == tuple(map(ipaddress.ip_network, ("10.0.0.7/32", "10.1.0.0/16", "::1/128")))


def test_what_an_orchestrator_sets_for_a_service_named_so_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANCELLIST_SERVE_PORT", "tcp://10.0.0.1:8088")
    monkeypatch.setenv("CANCELLIST_SERVE_SERVICE_HOST", "10.0.0.1")
    assert load().serve_port == 8088
