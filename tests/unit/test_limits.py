import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.limits import SHARED_ABOVE, Limit, parse_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", Limit(0)),
        ("20", Limit(20)),
        (" 7 ", Limit(7)),
        ("10%", Limit(percent=10)),
        ("2.5 %", Limit(percent=2.5)),
        ("0%", Limit(percent=0)),
        ("100%", Limit(percent=100)),
        ("0.000001%", Limit(percent=0.000001)),
        ("12.345678%", Limit(percent=12.345678)),
    ],
)
def test_a_limit_is_a_number_or_a_share(text, limit):
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "ten", "10%%", "%", "1e3", "٣", "nan%", "9" * 20])
def test_a_text_that_is_neither_number_nor_share_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="a number such as 20 nor a share such as 10%"):
        parse_limit(text)


@pytest.mark.parametrize(
    ("text", "found", "of", "exceeded"),
    [
        ("10%", 9, SHARED_ABOVE, False),
        ("10%", 2, SHARED_ABOVE + 1, True),
        ("10%", 1, SHARED_ABOVE + 1, False),
        ("10%", 10, 100, False),
        ("10%", 11, 100, True),
        ("0%", 1, 1, True),
        ("0%", 0, 1000, False),
        ("100%", 1000, 1000, False),
        ("0", 1, 1, True),
        ("3", 3, 4, False),
        ("3", 4, 100_000, True),
    ],
)
def test_a_share_says_nothing_of_a_few_and_none_is_none(text, found, of, exceeded):
    assert parse_limit(text).exceeded(found, of) is exceeded


@given(st.integers(0, 100), st.integers(0, 1000), st.integers(0, 1000))
def test_a_limit_that_is_exceeded_stays_exceeded_with_more_malformed_entries(percent, found, of):
    limit = Limit(percent=percent)
    if limit.exceeded(found, of):
        assert limit.exceeded(found + 1, of)
