"""What a server's URL may look like, and that no password leaves it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cancellist.jobs.errors import SettingsError
from cancellist.jobs.ledger.server.address import SentinelAddress, TcpAddress, Tls, UnixAddress, parse, redacted


def test_a_plain_url_has_the_usual_port_and_database():
    assert parse("redis://cache.example") == TcpAddress(shown="redis://cache.example", host="cache.example", port=6379)


def test_a_full_url_is_read_and_its_escapes_are_undone():
    address = parse("redis://us%40er:p%3Aa%2Fs%25s+@cache.example:6380/3")
    assert address == TcpAddress(
        shown="redis://us%40er:***@cache.example:6380/3",
        host="cache.example",
        port=6380,
        db=3,
        username="us@er",
        password="p:a/s%s+",
    )


def test_a_password_alone_needs_no_user():
    address = parse("redis://:secret@localhost")
    assert (address.username, address.password) == (None, "secret")


def test_a_password_with_an_at_sign_is_taken_up_to_the_last_one():
    assert parse("redis://:se@cret@localhost").password == "se@cret"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("redis://[::1]", "::1", 6379),
        ("redis://[fe80::1]:7000/1", "fe80::1", 7000),
        ("redis://", "localhost", 6379),
        ("redis://:7000", "localhost", 7000),
    ],
)
def test_a_url_has_a_host_and_a_port_or_their_defaults(url, host, port):
    address = parse(url)
    assert isinstance(address, TcpAddress)
    assert (address.host, address.port) == (host, port)


def test_the_database_may_be_given_as_a_parameter_and_then_wins():
    assert parse("redis://localhost/1?db=2").db == 2
    assert parse("redis://localhost/").db == 0


def test_tls_is_verified_unless_said_otherwise():
    assert parse("rediss://cache.example").tls == Tls()
    assert parse("rediss://cache.example").tls.check_hostname
    own = parse("rediss://cache.example?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no")
    assert own.tls == Tls(ca_certs="/etc/ca.pem", check_hostname=False)
    assert parse("rediss://cache.example?ssl_cert_reqs=none").tls == Tls(verified=False, check_hostname=False)


def test_a_unix_socket_with_a_login_and_a_database():
    assert parse("unix:///run/my%20valkey.sock") == UnixAddress(
        shown="unix:///run/my%20valkey.sock", path="/run/my valkey.sock"
    )
    address = parse("unix://user:secret@/run/valkey.sock?db=2")
    assert (address.path, address.username, address.password, address.db) == ("/run/valkey.sock", "user", "secret", 2)
    assert address.shown == "unix://user:***@/run/valkey.sock?db=2"


def test_sentinels_with_the_masters_login_and_their_own():
    address = parse("redis+sentinel://user:secret@one:1,[::2]:2,three/my-master/4?sentinel_password=other&db=5")
    assert address == SentinelAddress(
        shown="redis+sentinel://user:***@one:1,[::2]:2,three/my-master/4?***&db=5",
        sentinels=(("one", 1), ("::2", 2), ("three", 26379)),
        service="my-master",
        db=5,
        username="user",
        password="secret",
        sentinel_password="other",
    )
    assert "secret" not in repr(address)
    assert "other" not in repr(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("localhost:6379", "its start must be one of redis://"),
        ("http://localhost", "its start must be one of redis://"),
        ("redis://localhost:port", "its port is not a number"),
        ("redis://localhost:70000", "its port is not a number"),
        ("redis://localhost/mydb", "number of a database"),
        ("redis://localhost?timeout=5", "unknown parameter"),
        ("redis://localhost?ssl_ca_certs=/x", "unknown parameter"),
        ("redis://[::1", "brackets"),
        ("unix://run/valkey.sock", "absolute path"),
        ("unix://", "absolute path"),
        ("redis+sentinel://one:1", "the master's name is missing"),
        ("rediss://localhost?ssl_cert_reqs=optional", "ssl_cert_reqs"),
        ("rediss://localhost?ssl_check_hostname=perhaps", "ssl_check_hostname"),
    ],
)
def test_a_malformed_url_is_refused_with_the_reason(url, why):
    with pytest.raises(SettingsError, match="CANCELLIST_REDIS_URL") as caught:
        parse(url)
    assert why in str(caught.value)


def test_a_password_in_the_hosts_place_is_not_shown():
    assert redacted("redis://:secret") == "redis://***"
    assert redacted("redis://:sec?ret@host") == "redis://***"


SECRETS = st.text("xyzXYZ@:/?#&=%+[] ", min_size=1, max_size=12).map(lambda text: f"Q{text}W")


@given(
    secret=SECRETS,
    template=st.sampled_from(
        [
            "redis://:{}@host:1/0",
            "redis://user:{}@host",
            "rediss://user:{}@host?ssl_ca_certs=/ca.pem",
            "unix://user:{}@/run/valkey.sock",
            "unix:///run/valkey.sock?password={}",
            "redis+sentinel://user:{}@one:1,two:2/master",
            "redis+sentinel://one:1,two:2/master/0?sentinel_password={}&db=1",
            "redis://{}@host",
            "user:{}@host:6379",
        ]
    ),
)
def test_no_part_of_a_password_is_shown_however_it_is_mangled(secret, template):
    assume(":" not in secret or template != "redis://{}@host")  # there, what is before the colon is a name
    url = template.format(secret)
    texts = [redacted(url)]
    try:
        texts.append(repr(parse(url)))
    except SettingsError as error:
        texts.append(str(error))
    for text in texts:
        assert "Q" not in text.partition(" username=")[0]
        assert "W" not in text.partition(" username=")[0]
