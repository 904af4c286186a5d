"""A token is hidden wherever it stands in a text, and what is none stays."""

import pytest

from cancellist.api import masking
from cancellist.jobs.access import ALL, Token, digest_of

OWN, OTHER = "kR7w-Zc1vQ_t3XbN9mLpF5sHd2yGJ8aUo6eTi0VqBnM", "another/token=="
TOKENS = [Token("anna", ALL, digest_of(OWN)), Token("ben", ALL, digest_of(OTHER))]


@pytest.mark.parametrize(
    "around",
    ["@", "no job '@'", '{"a":"@"}', "token=@", "?token=@&x=1", "/v1/jobs/@", "http://x/@/y", "is @.", "=@.", "@ @"],
)
def test_a_token_is_hidden_wherever_it_stands(around: str) -> None:
    hidden = masking.without(TOKENS, "anna")(around.replace("@", OWN).encode())
    assert hidden == around.replace("@", "***").encode()
    assert masking.without_any(TOKENS)(around.replace("@", OWN).encode()) == hidden


def test_a_caller_learns_of_no_token_but_their_own() -> None:
    text = f"{OWN} {OTHER} x=y/z.".encode()
    assert masking.without(TOKENS, "anna")(text) == f"*** {OTHER} x=y/z.".encode()
    assert masking.without(TOKENS, None)(text) == text
    assert masking.without_any(TOKENS)(text) == b"*** *** x=y/z."
