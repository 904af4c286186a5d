"""The head of a request says in one way how long its body is, and has a length of its own, however it comes."""

import h11
import pytest

from cancellist.api.serving.connections import LONGEST_HEAD, Requests

CHUNKED, LENGTH = "Transfer-Encoding: chunked", "Content-Length: 4"


def head(*lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"POST /v1/jobs HTTP/{version}", "Host: x", *lines, "", ""]).encode()


def read(*pieces: bytes) -> object:
    """What is found once all has come."""
    requests = Requests()
    for piece in pieces:
        requests.receive_data(piece)
        found = requests.next_event()
    return found


@pytest.mark.parametrize(
    "sent",
    [head(LENGTH, CHUNKED), head(CHUNKED, LENGTH), head(CHUNKED, "content-length: 0"), head(CHUNKED, version="1.0"),
     head(LENGTH, "Content-Length: 5"), head("Transfer-Encoding: gzip, chunked"), head(f"X: {'y' * LONGEST_HEAD}")],
)  # fmt: skip
def test_an_unclear_length_and_a_head_that_is_too_long_are_refused(sent: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        read(sent)


@pytest.mark.parametrize("lines", [(LENGTH,), (CHUNKED,), (), (LENGTH, LENGTH), (f"X: {'y' * (LONGEST_HEAD - 1000)}",)])
@pytest.mark.parametrize("end", [1, 1000, -1])
def test_any_other_head_is_taken_whole_or_in_pieces(lines: tuple[str, ...], end: int) -> None:
    sent = head(*lines)
    assert isinstance(read(sent), h11.Request)
    assert isinstance(read(sent[:end], sent[end:]) if end < len(sent) else read(sent), h11.Request)
