"""Bodies as they come in: unpacked, counted, cut, silent."""

import asyncio
import gzip
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.api.options import Limits
from cancellist.api.problems import ClientGoneError, ProblemError
from cancellist.api.request_body import Body
from cancellist.jobs.errors import InputError

LIMITS = Limits(max_body=1000, max_json=100, max_rows=10, max_wait_s=1, max_connections=1, rate=1, silence_s=0.05)

MARK = b"\xef\xbb\xbf"


def body(pieces: Iterable[bytes], *, packed: bool = False, cut: bool = False) -> Body:
    """A body that comes in these pieces, and then ends, or is cut."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return waiting.pop(0)

    return Body(receive, packed=packed, limits=LIMITS)


async def read(one: Body) -> bytes:
    return b"".join([block async for block in one.blocks()])


def split(content: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(min(place, len(content)) for place in at), len(content)]
    return [content[a:b] for a, b in pairwise(places)]


@given(content=st.binary(max_size=200), at=st.lists(st.integers(0, 250), max_size=6), times=st.integers(0, 2))
async def test_a_body_is_read_unchanged_however_it_is_packed_and_cut_into_pieces(content, at, times):
    content = b"x" + content  # what is a gzip by itself is another test's
    sent = content
    for _ in range(times):
        sent = gzip.compress(sent)
    one = body(split(sent, at), packed=times == 2)
    assert await one.begins_with() == b"x"
    assert await read(one) == content


@given(at=st.lists(st.integers(0, 100), max_size=9))
async def test_a_gzip_within_all_that_is_allowed_is_refused(at):
    sent = b"EC-000-05D-1NS"
    for _ in range(3):
        sent = gzip.compress(sent)
    with pytest.raises(InputError, match="gzip within a gzip"):
        await read(body(split(sent, at), packed=True))


@pytest.mark.parametrize(
    ("start", "first"),
    [(b"", b""), (b"  ", b""), (b" \n[", b"["), (MARK + b"{", b"{"), (MARK + b" \t[", b"["), (b"\xff", b"\xff")],
)
async def test_the_first_byte_of_a_body_is_found_in_whatever_pieces_it_comes(start, first):
    for pieces in ([start], [start[at : at + 1] for at in range(len(start))]):
        one = body(pieces)
        assert await one.begins_with() == first
        assert await read(one) == start


async def test_blanks_without_an_end_are_not_held():
    wide = Limits(max_body=1 << 30, max_json=1, max_rows=1, max_wait_s=1, max_connections=1, rate=1)

    async def receive():
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    one = Body(receive, packed=False, limits=wide)
    with pytest.raises(InputError, match="blanks"):
        await one.begins_with()


async def test_a_body_that_is_cut_off_is_an_error():
    with pytest.raises(ClientGoneError):
        await read(body([b"EC-000-05D-1NS"], cut=True))


async def test_a_body_declared_as_gzip_must_be_gzip():
    with pytest.raises(InputError, match="said to be gzip"):
        await read(body([b"EC-000-05D-1NS"], packed=True))


@pytest.mark.parametrize("pieces", [[b"x" * 1001], [b"x"] * 1001, [gzip.compress(b"x" * 1001)]])
async def test_a_body_beyond_its_limit_is_refused(pieces):
    with pytest.raises(ProblemError) as refused:
        await read(body(pieces))
    assert refused.value.kind.code == "body_too_large"


@pytest.mark.parametrize("times", [1, 2])
async def test_a_small_gzip_that_unpacks_to_very_much_is_refused_before_it_is_unpacked(times):
    wide = Limits(max_body=1 << 40, max_json=1, max_rows=1, max_wait_s=1, max_connections=1, rate=1)
    sent = b"".join(gzip.compress(bytes(1 << 24)) for _ in range(5))
    if times > 1:
        sent = gzip.compress(sent)

    async def receive():
        return {"type": "http.request", "body": sent, "more_body": False}

    blocks, unpacked = Body(receive, packed=times > 1, limits=wide).blocks(), 0
    with pytest.raises(ProblemError, match="200 times"):  # noqa: PT012 - whichever block it is
        async for block in blocks:
            unpacked += len(block)
    assert unpacked <= (1 << 24) + 200 * len(sent)


async def test_a_body_declared_too_long_is_refused_before_it_is_read():
    one = body([])
    for said in (None, "", "1000", "x"):
        one.check_length(said)
    for said in ("1001", "9" * 400):
        with pytest.raises(ProblemError):
            one.check_length(said)


async def test_silence_is_given_up():
    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(ProblemError) as refused:
        await read(Body(receive, packed=False, limits=LIMITS))
    assert refused.value.kind.code == "request_timeout"
