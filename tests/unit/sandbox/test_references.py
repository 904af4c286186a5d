import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancellist.sandbox.world.references import REFERENCES, chance, index_of, reference, spell


@given(seed=st.integers(), index=st.integers(0, REFERENCES - 1))
@settings(max_examples=200)
def test_a_reference_decodes_to_its_index_in_any_case(seed, index):
    text = reference(seed, index)
    assert re.fullmatch(r"EC-[0-9A-Z]{3}-[0-9A-Z]{3}-[0-9A-Z]{3}", text)
    assert index_of(seed, text) == index
    assert index_of(seed, text.lower()) == index


@given(seed=st.integers(), number=st.integers(0, REFERENCES - 1))
@settings(max_examples=200)
def test_every_well_spelt_reference_stands_for_one_index(seed, number):
    index = index_of(seed, spell(number))
    assert index is not None
    assert reference(seed, index) == spell(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "EC",
        "EC-000-05D",
        "EC-000-05D-1N",
        "EC-000-05D-1NSS",
        "XX-000-05D-1NS",
        "EC_000_05D_1NS",
        " EC-000-05D-1NS",
        "EC-0_0-05D-1NS",
        "EC-0\u017f0-05D-1NS",
        "EC-000-05D-1NS-",
    ],
)
def test_what_is_not_spelt_as_a_reference_has_no_index(text):
    assert index_of(1, text) is None


def test_different_seeds_make_different_references():
    assert {reference(1, index) for index in range(1000)}.isdisjoint(reference(2, index) for index in range(1000))


def test_chances_are_even():
    lots = [chance(7, "fault", number) for number in range(10_000)]
    assert all(0 <= lot < 1 for lot in lots)
    assert 0.48 < sum(lots) / len(lots) < 0.52
