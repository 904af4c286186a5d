import random

import pytest

from cancellist.jobs.ids import SERIALS, job_id

NOW = 1_795_456_800_123


def test_an_id_has_twelve_easy_characters():
    for serial in (0, 1, 77, SERIALS - 1):
        made = job_id(NOW, serial)
        assert len(made) == 12
        assert set(made) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_sort_by_time_and_then_by_serial():
    moments = [NOW + step for step in (0, 1, 2, 999, 1000, 3_600_000, 86_400_000, 365 * 86_400_000)]
    made = [job_id(at, serial) for at in moments for serial in (0, 1, 4000, SERIALS - 1)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_later_millisecond_sorts_later_whatever_the_serials():
    draw = random.Random(5)
    for _ in range(500):
        at = NOW + draw.randrange(10**10)
        assert job_id(at, draw.randrange(SERIALS)) < job_id(at + 1, draw.randrange(SERIALS))


def test_the_serial_starts_over_without_reaching_into_the_time():
    assert job_id(NOW, SERIALS) == job_id(NOW, 0)


@pytest.mark.parametrize("year", [2021, 2026, 2050, 2088])
def test_ids_last_until_the_year_2089(year):
    at = (year - 1970) * 31_556_952_000
    assert job_id(at, 0) < job_id(at + 31_556_952_000, 0)
