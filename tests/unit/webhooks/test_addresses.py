"""Where webhooks may go: every kind of address that is not public is refused, in every form in which it is written."""

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from cancellist.jobs.errors import InputError
from cancellist.jobs.webhooks.addresses import Allowed, is_public, meant, parse_address
from cancellist.jobs.webhooks.endpoint import checked_url, refused_address, shown_url

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.0", "192.167.1.1",
          "169.253.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e", "64:ff9b::808:808",
          "::ffff:8.8.8.8"]  # fmt: skip
CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "127.0.0.1",
    "127.255.255.254", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.0.170",
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1",
    "fe80::1", "fe80::1%eth0", "febf::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a00:1::1", "3fff::1", "4000::1", "5f00::1",
]  # fmt: skip
NOBODY = Allowed()


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text):
    assert is_public(parse_address(text))


@pytest.mark.parametrize("text", CLOSED)
def test_any_other_is_not(text):
    assert not is_public(parse_address(text))
    host = f"[{text.partition('%')[0]}]" if ":" in text else text
    with pytest.raises(InputError, match="is not a public address"):
        checked_url(f"https://{host}/hooks", NOBODY)
    assert "not a public address" in refused_address(f"https://{host}/hooks", NOBODY)


@given(ip_addresses())
def test_whatever_the_standard_library_takes_for_special_is_closed_too(address):
    """A second opinion: the registry of special addresses that the standard library keeps."""
    if is_public(address):
        real = meant(address)
        assert real.is_global
        assert not real.is_multicast
        assert not real.is_reserved


@pytest.mark.parametrize(
    ("entries", "host", "address", "takes"),
    [
        (["10.0.0.0/8"], "hooks.internal", "10.1.2.3", True),
        (["10.0.0.0/8"], "hooks.internal", "11.1.2.3", True),
        (["10.0.0.0/8"], "hooks.internal", "192.168.1.1", False),
        (["10.0.0.0/8"], "hooks.internal", "::ffff:10.1.2.3", True),
        (["hooks.internal"], "hooks.internal", "192.168.1.1", True),
        (["HOOKS.internal."], "hooks.INTERNAL", "192.168.1.1", True),
        (["hooks.internal"], "other.internal", "192.168.1.1", False),
        (["hooks.internal"], "x.hooks.internal", "192.168.1.1", False),
        (["127.0.0.1"], "localhost", "127.0.0.1", True),
        (["127.0.0.1"], "localhost", "127.0.0.2", False),
        (["fd00::/8"], "six", "fd00::7", True),
        ([], "localhost", "127.0.0.1", False),
    ],
)
def test_what_is_named_may_be_gone_to_and_nothing_beside_it(entries, host, address, takes):
    assert Allowed.of(entries).takes(host, parse_address(address)) is takes


@pytest.mark.parametrize("entry", ["", "a b", "http://x", "x/y", "10.0.0.0/99", "-" * 64, "é.example"])
def test_an_entry_that_is_neither_host_nor_network_is_refused(entry):
    with pytest.raises(ValueError, match="must be hosts"):
        Allowed.of([entry])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example/", "not https"),
        ("http://10.0.0.1/", "not https"),
        ("ftp://hooks.example/", "not one such as"),
        ("//hooks.example/", "not one such as"),
        ("hooks.example", "not one such as"),
        ("https://", "not one such as"),
        ("https://hooks.example:0/", "not one such as"),
        ("https://hooks.example:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://127.1/", "neither a name"),
        ("https://2130706433/", "neither a name"),
        ("https://0x7f000001/", "neither a name"),
        ("https://0177.0.0.1/", "neither a name"),
        ("https://a..b/", "neither a name"),
        ("https://hooks.example/#part", "fragment"),
        ("https://user:secret@hooks.example/", "credentials"),
        ("https://user@hooks.example/", "credentials"),
        ("https://hooks.example/a b", "one word"),
        ("https://hooks.example/\n", "one word"),
        ("https://hooks.exämple/", "one word"),
        ("https://hooks.example/" + "x" * 2000, "one word"),
        ("", "one word"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_one_line_without_being_repeated(url, why):
    with pytest.raises(InputError, match=why) as raised:
        checked_url(url, NOBODY)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 200


def test_plain_http_goes_to_named_hosts_and_addresses_alone():
    allowed = Allowed.of(["hooks.internal", "10.0.0.0/8"])
    for url in ("http://hooks.internal/", "http://10.1.1.1:8080/x", "https://any.example/"):
        assert checked_url(url, allowed) == url
        assert refused_address(url, allowed) is None
    for url in ("http://any.example/", "http://192.168.0.1/"):
        assert refused_address(url, allowed) == "its URL is not https"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@hooks.example:8443/in/a?token=secret", "https://hooks.example:8443/in/a?..."),
        ("https://secret@hooks.example", "https://hooks.example"),
        ("https://a@secret:x@hooks.example/", "https://hooks.example/"),
        ("https://hooks.example/\x1b[31m", "https://hooks.example/\\x1b[31m"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, shown):
    assert shown_url(url) == shown
    assert "secret" not in shown
