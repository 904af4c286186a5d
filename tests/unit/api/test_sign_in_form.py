"""The form of a sign-in, which comes of nobody who is known yet, has little time and little room."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request

from cancellist.api.monitor import signing_in
from cancellist.api.problems import ClientGoneError, ProblemError

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def request(pieces: Iterator[Any]) -> Request:
    async def receive() -> Any:
        try:
            return next(pieces)
        except StopIteration:
            await asyncio.Event().wait()

    return Request({"type": "http", "headers": [FORM]}, receive)


def piece(body: bytes, *, more: bool = True) -> Any:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_form_that_does_not_end_is_given_up_however_many_bytes_have_come(monkeypatch) -> None:
    """Bytes prolong nothing: the time is that of the whole form."""
    monkeypatch.setattr(signing_in, "FORM_S", 0.01)
    for come in ([], [piece(b"token=")], [piece(b"x" * 300)] * 10):
        with pytest.raises(ProblemError) as caught:
            await signing_in._token_of(request(iter(come)))
        assert caught.value.kind.code == "request_timeout"


async def test_a_form_without_a_length_is_given_up_once_it_is_too_long() -> None:
    read = []

    def endless() -> Iterator[Any]:
        while True:
            read.append(1)
            yield piece(b"x" * 1000)

    with pytest.raises(ProblemError) as caught:
        await signing_in._token_of(request(endless()))
    assert (caught.value.kind.code, len(read)) == ("body_too_large", 5)


async def test_a_form_that_is_cut_is_no_token() -> None:
    with pytest.raises(ClientGoneError):
        await signing_in._token_of(request(iter([piece(b"token=whole"), {"type": "http.disconnect"}])))


@pytest.mark.parametrize(
    ("form", "token"),
    [(b"token=one", "one"), (b"token=%20one%0a&other=x", "one"), (b"token=", ""), (b"", None),
     (b"token=a&token=", None), (b"token=a&token=a", None), (b"TOKEN=a", None), (b"token=\xff", "\ufffd")],
)  # fmt: skip
async def test_a_form_has_one_token_or_none(form: bytes, token: str | None) -> None:
    assert await signing_in._token_of(request(iter([piece(form[:3]), piece(form[3:], more=False)]))) == token
