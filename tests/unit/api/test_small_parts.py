"""The pure parts of the API: cursors, waits, limits a caller, and who is believed."""

import base64
import ipaddress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.api import cursors, waiting
from cancellist.api.auth import identify, is_trusted
from cancellist.api.options import AccountOptions, ApiOptions, Limits, Proxies
from cancellist.api.problems import ProblemError
from cancellist.api.rates import Buckets
from cancellist.jobs.access import ALL, Access, Token, digest_of, parse_token
from cancellist.jobs.ledger import job_pages, results
from cancellist.jobs.ledger.account_status import Configured
from cancellist.jobs.limits import Limit
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.safety.environment import environment_of

JOBS = st.from_regex(r"[0-9a-z]{1,12}", fullmatch=True)
AFTER = st.from_regex(r"(?:[0-9]{1,15}-[0-9]{1,9})?", fullmatch=True)


@given(job=JOBS, other=JOBS, run=st.integers(0, 10**9 - 1), after=AFTER)
def test_a_cursor_of_results_stands_for_its_place_in_its_job_alone(job, other, run, after):
    place = results.ResultsPlace(run, after)
    cursor = cursors.of_results(job, place)
    assert cursors.to_results(job, cursor) == place
    if other != job:
        with pytest.raises(ProblemError, match=f"of job {job}"):
            cursors.to_results(other, cursor)


@given(run=st.integers(0, 10**9 - 1), after=AFTER)
def test_an_older_cursor_of_results_names_no_job_and_is_read(run, after):
    cursor = base64.urlsafe_b64encode(f"{run}.{after}".encode()).decode().rstrip("=")
    assert cursors.to_results("any", cursor) == results.ResultsPlace(run, after)


@given(at_ms=st.integers(0, 10**15 - 1), job=JOBS)
def test_a_cursor_of_jobs_stands_for_its_place(at_ms, job):
    place = job_pages.JobsPlace(at_ms, job)
    assert cursors.to_jobs(cursors.of_jobs(place)) == place


@given(st.text(max_size=40))
def test_a_malformed_cursor_is_refused(text):
    of_a_job = (partial(cursors.to_results, "a"), partial(cursors.of_results, "a"))
    for read, written in (of_a_job, (cursors.to_jobs, cursors.of_jobs)):
        place = refused = None
        try:
            place = read(text)
        except ProblemError as error:
            refused = error
        assert refused.kind.code == "validation" if refused else read(written(place)) == place


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=5", 5),
        ("respond-async, wait=5", 5),
        ("Wait = 5; x", 5),
        ('wait="7"', 7),
        ("wait=999", 60),
        ("wait=0", 0),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=soon", None),
        ("await=5", None),
    ],
)
def test_a_wait_is_as_long_as_is_asked_and_no_longer_than_is_allowed(prefer, seconds):
    assert waiting.asked_s(prefer, 60.0) == seconds


def test_a_caller_has_two_seconds_of_requests_and_then_as_many_as_the_rate():
    buckets = Buckets(5)
    assert [buckets.take("a", 100.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", 100.0) == pytest.approx(0.2)
    assert buckets.take("b", 100.0) == 0.0
    assert buckets.take("a", 100.21) == 0.0
    assert buckets.take("a", 100.21) > 0
    assert [buckets.take("a", 1000.0) for _ in range(11)].count(0.0) == 10


def test_a_slow_rate_still_lets_one_pass():
    buckets = Buckets(0.1)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 1.0) == pytest.approx(9.0)


OPTIONS = ApiOptions(
    tokens=(Token("one", ALL, digest_of("t-one")), Token("two", frozenset({Access.READ}), digest_of("t-two"))),
    accounts={},
    common=AccountOptions(Configured("h", False, 1, None, None, 1, environment_of("http://h")), ReferencePattern()),
    max_invalid=Limit(percent=10),
    idempotency_keep_s=1,
    limits=Limits(1, 1, 1, 1, 1, 1),
    results_keep_s=1,
    jobs_keep_s=1,
    data_dir=Path("nowhere"),
    proxies=Proxies(
        trusted=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1")),
        user_header="X-User",
        user_roles={"alice": ALL, "*": frozenset({Access.READ})},
    ),
)
AUTHORIZATION, KEY, USER = b"authorization", b"ocp-apim-subscription-key", b"x-user"


@pytest.mark.parametrize(
    ("headers", "peer", "with_key", "name"),
    [
        ([], "10.0.0.1", False, None),
        ([(AUTHORIZATION, b"Bearer t-one")], "1.1.1.1", False, "one"),
        ([(AUTHORIZATION, b"bearer   t-two ")], None, False, "two"),
        ([(AUTHORIZATION, b"Bearer t-three")], None, False, None),
        ([(AUTHORIZATION, b"Basic t-one")], None, False, None),
        ([(AUTHORIZATION, b"Bearer \xff\xfe")], None, False, None),
        ([(AUTHORIZATION, b"Bearer t-one"), (AUTHORIZATION, b"Bearer t-one")], None, False, None),
        ([(KEY, b"t-one")], None, False, None),
        ([(KEY, b"t-one")], None, True, "one"),
        ([(KEY, b"t-one"), (KEY, b"t-one")], None, True, None),
        ([(USER, b"alice")], "10.0.0.1", False, "alice"),
        ([(USER, b"bob")], "::ffff:10.0.0.1", False, "bob"),
        ([(USER, b"bob")], "::1", False, "bob"),
        ([(USER, b"alice")], "11.0.0.1", False, None),
        ([(USER, b"alice")], None, False, None),
        ([(USER, b"*")], "10.0.0.1", False, None),
        ([(USER, b" ")], "10.0.0.1", False, None),
        ([(USER, b"a" * 201)], "10.0.0.1", False, None),
        ([(USER, b"alice"), (USER, b"alice")], "10.0.0.1", False, None),
        ([(USER, b"alice"), (AUTHORIZATION, b"Bearer wrong")], "10.0.0.1", False, None),
    ],
)
def test_a_caller_is_named_only_by_a_token_or_a_trusted_proxy(headers, peer, with_key, name):
    found = identify(OPTIONS, headers, peer, with_key=with_key).caller
    assert (found.name if found else None) == name


def test_a_malformed_address_is_not_trusted():
    for address in (None, "", "localhost", "10.0.0", "10.0.0.1:80"):
        assert not is_trusted(OPTIONS.proxies.trusted, address)


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", fullmatch=True),
    roles=st.sets(st.sampled_from(Access), min_size=1),
)
def test_a_token_is_read_as_it_is_written(name, roles):
    token = Token(name, frozenset(roles), digest_of(name))
    assert parse_token(token.setting) == token
