"""The digest of a set, the interval of a share, and the drawing of a sample."""

import math
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cancellist.jobs.safety.reference_set import ReferenceSet, binding
from cancellist.jobs.safety.sampling import Portion, Survey, wilson

REFERENCES = st.sets(st.text(alphabet="ABC012-", min_size=1, max_size=6), max_size=30)


def digest(*parts):
    made = ReferenceSet()
    for part in parts:
        made.add(part)
    return made.digest()


@given(REFERENCES, st.randoms(use_true_random=False), st.integers(0, 30))
def test_a_set_has_one_digest_in_whatever_order_and_parts_it_comes(references, chance, cut):
    shuffled = sorted(references)
    chance.shuffle(shuffled)
    assert digest(shuffled[:cut], shuffled[cut:]) == digest(sorted(references))


@given(REFERENCES, REFERENCES)
def test_other_sets_have_other_digests(one, other):
    assert (digest(one) == digest(other)) is (one == other)


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_a_plan_is_bound_to_its_account_its_host_and_its_content(one, other):
    assert (binding(*one) == binding(*other)) is (one == other)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_the_share_and_narrows_with_the_sample(found_of):
    found, of = found_of
    low, high = wilson(found, of)
    assert 0 <= low <= found / of <= high <= 1
    assert high > low
    wider = wilson(found, of)[1] - low
    narrower = wilson(4 * found, 4 * of)
    assert narrower[1] - narrower[0] < wider
    assert math.isclose(wilson(of - found, of)[0], 1 - high, abs_tol=1e-9)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 5000))
def test_the_interval_of_a_number_never_contradicts_what_was_read(found, others, unread):
    portion = Portion(found, found + others, found + others + unread)
    least, most = portion.counts
    assert found <= least <= portion.count <= most <= found + unread
    assert portion.exact is (unread == 0)
    if portion.exact:
        assert least == most == found


def test_intervals_hold_the_true_share_as_often_as_they_say():
    chance = random.Random(7)
    for share in (0.02, 0.3, 0.5, 0.9):
        held = 0
        for _ in range(2000):
            found = sum(chance.random() < share for _ in range(200))
            low, high = wilson(found, 200)
            held += low <= share <= high
        assert 0.93 <= held / 2000 <= 0.98


def survey(references, most, chance, parts=7):
    made = Survey(most, chance.randrange)
    for at in range(0, len(references), parts):
        made.add(references[at : at + parts])
    return made


@given(st.integers(0, 60), st.integers(1, 60))
def test_few_are_all_drawn_and_of_many_as_many_as_are_wanted_each_once(count, most):
    references = [f"R{n}" for n in range(count)]
    found = survey(references, most, random.Random(1))
    assert len(found.drawn) == len(set(found.drawn)) == min(count, most)
    assert set(found.drawn) <= set(references)
    if count <= most:
        assert found.drawn == references
    assert found.content.count == count


def test_each_reference_is_drawn_as_often_as_any_other():
    chance, references = random.Random(3), [f"R{n}" for n in range(40)]
    counted = Counter(one for _ in range(4000) for one in survey(references, 10, chance).drawn)
    expected = 4000 * 10 / 40
    off = sum((counted[one] - expected) ** 2 / (expected * (1 - 10 / 40)) for one in references)
    assert off < 74  # chi-squared with 39 degrees of freedom, 99.9 %: 72.1


def test_of_very_many_the_sample_is_compared_with_other_jobs():
    references = [f"R{n}" for n in range(100_001)]
    found = Survey(200, random.Random(1).randrange)
    found.add(references[:100_000])
    assert found.compared == set(references[:100_000])
    found.add(references[100_000:])
    assert found.compared == set(found.drawn)
