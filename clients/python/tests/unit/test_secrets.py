"""Tokens and passwords are nowhere but where they were given."""

import logging
import pickle
import traceback

import pytest

from cancellist_client import ApiError, AsyncClient, Client, InputError

SECRET = "s3cret-t0ken"
DEAD = "127.0.0.1:1"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host",
        f"gopher://:{SECRET}@host",
        f"https://host/?token={SECRET}",
        f"https://h:{SECRET}",
        f"redis://:{SECRET}@host/0?x=1",
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(kind, url) -> None:
    with pytest.raises(InputError) as caught:
        kind(url)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("token", [f"{SECRET}\r\nX: y", f"{SECRET} ", f"{SECRET}é", ""])
def test_a_token_that_cannot_be_sent_is_not_repeated(token) -> None:
    with pytest.raises(InputError) as caught:
        Client("https://host", token=token)
    assert not token or token.strip() not in repr(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "token"),
    [(f"http://{DEAD}", SECRET), (f"redis://user:{SECRET}@{DEAD}/0", None), (f"redis://:{SECRET}@{DEAD}/0?db=1", None)],
)
def test_no_error_or_log_holds_it(url, token, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with Client(url, token=token, retries=0) as client:
        assert SECRET not in repr(client)
        with pytest.raises(Exception, match=DEAD) as caught:
            client.submit(["EC-000-05D-1NS"])
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        assert SECRET not in repr(vars(caught.value))
    assert SECRET not in caplog.text


def test_a_refused_token_is_not_in_the_error(scripted, answer, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.answers = [answer(401, {"type": "/problems/unauthorized", "detail": "this token is none"})]
    with Client(scripted.url, token=SECRET) as client, pytest.raises(ApiError) as caught:
        client.submit(["EC-000-05D-1NS"])
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(vars(caught.value))
    assert SECRET not in caplog.text


def test_a_password_is_only_for_redis() -> None:
    with pytest.raises(InputError, match="token"):
        Client("redis://host", token=SECRET)


def test_errors_can_be_handed_to_another_process() -> None:
    error = ApiError("no", code="input", status=422, request_id="r-1")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
