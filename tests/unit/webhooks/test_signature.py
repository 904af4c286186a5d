"""Signatures by the Standard Webhooks specification."""

import base64

import pytest

from cancellist.jobs.webhooks import signature

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_known_message_has_its_known_signature():
    """The example that the specification's own libraries are tested with."""
    signing = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature.signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [signing])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_of_one_key_endpoint_and_version():
    made = {
        signature.secret(key, endpoint, version)
        for key in (KEY, OTHER)
        for endpoint in ("wh_a", "wh_b")
        for version in (1, 2, 11)
    }
    assert len(made) == 12
    assert {len(one) for one in made} == {32}
    assert signature.secret(KEY, "wh_a", 1) == signature.secret(KEY, "wh_a", 1)
    shown = signature.shown(signature.secret(KEY, "wh_a", 1))
    assert base64.b64decode(shown.removeprefix("whsec_"), validate=True) == signature.secret(KEY, "wh_a", 1)


@pytest.mark.parametrize(
    ("keys", "rotated_ago_s", "wanted"),
    [
        ([KEY], None, [(KEY, 2)]),
        ([KEY], 0, [(KEY, 2), (KEY, 1)]),
        ([KEY], 86_399, [(KEY, 2), (KEY, 1)]),
        ([KEY], 86_400, [(KEY, 2)]),
        ([KEY, OTHER], None, [(KEY, 2), (OTHER, 2)]),
        ([KEY, OTHER], 10, [(KEY, 2), (OTHER, 2), (KEY, 1), (OTHER, 1)]),
    ],
)
def test_who_signs_now(keys, rotated_ago_s, wanted):
    rotated = None if rotated_ago_s is None else 1_000_000.0 - rotated_ago_s
    found = signature.secrets(keys, "wh_a", 2, rotated_at_s=rotated, now_s=1_000_000.0)
    assert found == [signature.secret(key, "wh_a", version) for key, version in wanted]


def test_keys_are_read_in_any_base64_and_nothing_of_a_wrong_one_is_repeated():
    key = bytes(range(200, 232))
    for text in (base64.b64encode(key), base64.urlsafe_b64encode(key), base64.b64encode(key).rstrip(b"=")):
        assert signature.parse_keys(text.decode()) == (key,)
    both = f"{base64.b64encode(KEY).decode()}, {base64.b64encode(OTHER).decode()}"
    assert signature.parse_keys(both) == (KEY, OTHER)
    for wrong in ("", ",", "short", "*" * 40, base64.b64encode(b"x" * 23).decode(), f"{both},{both}"):
        with pytest.raises(ValueError, match=r"must be") as raised:
            signature.parse_keys(wrong)
        assert not wrong or wrong not in str(raised.value) or wrong == ","
