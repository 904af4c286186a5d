"""When a delivery is tried again, what an answer means, and which events results make."""

import pytest

from cancellist.jobs.webhooks import payloads, schedule
from cancellist.jobs.webhooks.payloads import ResultEntry
from cancellist.jobs.webhooks.schedule import AttemptVerdict

HOUR_S = 3600


def test_the_pauses_grow_to_about_a_day_and_then_it_is_given_up():
    pauses = [schedule.delay_s(failures, 0.5) for failures in range(1, 9)]
    assert pauses == [5, 300, 1800, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 10 * HOUR_S, None]
    assert 24 * HOUR_S < sum(pauses[:-1]) < 32 * HOUR_S
    assert schedule.delay_s(100, 0.5) is None


@pytest.mark.parametrize("failures", range(1, 8))
def test_chance_spreads_a_pause_by_a_fifth_and_no_more(failures):
    base = schedule.DELAYS_S[failures - 1]
    spread = [schedule.delay_s(failures, chance / 100) for chance in range(101)]
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(base * 0.8)
    assert spread[-1] == pytest.approx(base * 1.2)


@pytest.mark.parametrize(
    ("failures", "asked", "wanted"),
    [(1, 60, 60), (1, 1, 5), (1, 0, 5), (4, 60, 7200), (1, 10**9, 86_400), (8, 60, None)],
)
def test_a_receiver_may_ask_for_a_longer_pause_up_to_a_day_and_never_for_more_attempts(failures, asked, wanted):
    assert schedule.delay_s(failures, 0.5, asked) == wanted


@pytest.mark.parametrize("status", range(100, 600))
def test_only_2xx_is_success_and_only_410_asks_for_no_more(status):
    wanted = (
        AttemptVerdict.DELIVERED
        if 200 <= status < 300
        else AttemptVerdict.GONE
        if status == 410
        else AttemptVerdict.FAILED
    )
    assert schedule.verdict(status) is wanted
    assert (schedule.why(status) is None) == (wanted is AttemptVerdict.DELIVERED)


def told(job: str, number: int) -> ResultEntry:
    return ResultEntry(f"{number}-0", job, number, {"job": job, "reference": str(number)})


def test_results_go_in_events_of_one_job_and_at_most_a_hundred_each_once_in_their_order():
    found = [told("ab"[number % 2] if number < 50 else "a", number) for number in range(300)]
    events = list(payloads.job_results("wh_x", found))
    assert [(event.job, len(event.body["data"]["results"])) for event in events] == [
        ("a", 100), ("a", 100), ("a", 75), ("b", 25),
    ]  # fmt: skip
    for job in "ab":
        seen = [one["reference"] for event in events if event.job == job for one in event.body["data"]["results"]]
        assert seen == [one.document["reference"] for one in found if one.job == job]
    assert len({event.id for event in events}) == 4


def test_the_same_event_has_the_same_id_and_no_other_has():
    some = [told("a", number) for number in range(3)]

    def ids(endpoint: str, *batches: list[ResultEntry]) -> list[str]:
        return [event.id for batch in batches for event in payloads.job_results(endpoint, batch)]

    assert ids("wh_x", some) == ids("wh_x", list(some))
    different = [*ids("wh_x", some), *ids("wh_y", some), *ids("wh_x", some[:2], some[2:]), *ids("wh_x", some[1:])]
    different += [payloads.job_ended(endpoint, {"job": job}, 5).id for endpoint in ("wh_x", "wh_y") for job in "ab"]
    assert len(set(different)) == len(different)
    assert payloads.job_ended("wh_x", {"job": "a"}, 5).id == payloads.job_ended("wh_x", {"job": "a", "rate": 1}, 6).id
    assert all("." not in one for one in different), "an id must not look like the parts of what is signed"
