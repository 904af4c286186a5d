"""The report of a pre-flight: what it counts, what it warns of, and that it says how far it knows."""

import itertools

import orjson
import pytest

from cancellist.api.plan_schemas import Plan
from cancellist.jobs.ledger.plans import Plan as Kept
from cancellist.jobs.ledger.views.plan_views import plan_view
from cancellist.jobs.safety.consignment_record import Seen, Standing
from cancellist.jobs.safety.preflight import Facts, Intake, OpenCount, Overlap, Overlapping, Pace, deadline_met
from cancellist.jobs.safety.preflight_report import report
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.jobs.safety.preflight_words import amount, percent
from cancellist.jobs.safety.sampling import Portion

NOW_MS = 1_790_000_000_000
PACE = Pace(per_call=100, at_once=8, call_s=0.5)
OF = {"M": Standing.MANIFESTED, "O": Standing.OPEN, "C": Standing.ALREADY_CANCELLED, "N": Standing.NOT_FOUND}


def seen(standings, near=0):
    numbers = itertools.count()
    return [
        Seen(f"EC-000-000-{n:03d}", OF.get(one, Standing.UNKNOWN), why=None if one in OF else "HTTP 503", near=n < near)
        for one, n in zip(standings, numbers, strict=False)
    ]


def facts(standings, *, references=None, near=0, **more):
    read = seen(standings, near)
    given = {
        "intake": Intake(references or len(read)),
        "overlap": Overlap(),
        "open": OpenCount(None, "no"),
        "pace": PACE,
    }
    return Facts("default", "api.example.com", "production", seen=read, now_ms=NOW_MS, **{**given, **more})


def test_all_that_were_read_are_told_as_they_are():
    found = report(facts("OOOOOOMMNC", near=2))
    assert found["counts"] == {
        "references": 10, "duplicates": 0, "invalid": 0, "blank": 0, "read": 10, "open": 6, "already_cancelled": 1,
        "manifested": 2, "not_found": 1, "unknown": 0, "near_manifesting": 2,
    }  # fmt: skip
    assert found["sampled"] is False
    assert found["of_all"]["open"] == {
        "count": 6, "least": 6, "most": 6, "share": 0.6, "share_least": 0.6, "share_most": 0.6
    }  # fmt: skip
    assert found["warnings"] == [
        "20 % (2 of 10) are manifested already: the platform will most likely refuse them",
        "10 % (1 of 10) is not known to the platform: is it the right file, and the right account?",
        "10 % (1 of 10) is cancelled already",
        "20 % (2 of 10) are near manifesting: they may be too late by then",
    ]
    assert report(facts("OOOO"))["warnings"] == []


def test_a_sample_is_told_with_its_interval_and_unknown_is_not_guessed():
    found = report(facts("OOOOOOMM??", references=1000))
    assert found["sampled"] is True
    manifested = found["of_all"]["manifested"]
    assert (manifested["count"], manifested["share"]) == (200, 0.2)
    assert manifested["least"] < 100
    assert manifested["most"] > 300
    assert found["unread"] == [{"why": "HTTP 503", "references": 2}]
    assert found["warnings"][0].startswith("about 20 % (6 % to 51 %, so ")
    assert found["warnings"][1].endswith("in a state that is not known (HTTP 503)")


def test_examples_are_twenty_and_show_each_kind():
    found = report(facts("O" * 400 + "MMC?N"))["sample"]
    assert len(found) == 20
    assert {one["standing"] for one in found} == {str(standing) for standing in Standing}


def test_other_jobs_and_the_inputs_faults_are_warned_of():
    jobs = [Overlapping("35j3", 5, "completed", NOW_MS), *(Overlapping(f"x{n}", 1, None, None) for n in range(3))]
    overlap = Overlap(jobs, references=7, compared=10, gap="results were trimmed")
    found = report(facts("O" * 10, overlap=overlap, intake=Intake(10, duplicates=2, invalid=9)))
    assert found["warnings"] == [
        "50 % (5 of 10) are in job 35j3 of 2026-09-21 14:13 UTC, which is completed",
        "10 % (1 of 10) is in job x0",
        "10 % (1 of 10) is in job x1",
        "other jobs of the last days name some of them, too: 1",
        "jobs that name some of them may be missing here: results were trimmed",
        "the input has 9 malformed lines, never sent",
        "2 references are named again, and counted once",
    ]
    assert found["overlap"]["complete"] is False
    assert found["overlap"]["jobs"][0]["created_at"] == "2026-09-21T14:13:20.000Z"


@pytest.mark.parametrize(
    ("count", "share", "warns"),
    [(None, None, False), (0, None, False), (5, None, False), (40, 0.25, True), (900, 0.011111, False)],
)
def test_the_share_of_all_open_consignments_is_told_where_the_platform_can_say(count, share, warns):
    found = report(facts("O" * 10, open=OpenCount(count)))
    assert found["open_consignments"]["share"] == share
    assert any("of all open consignments" in one for one in found["warnings"]) is warns


PACES = {
    "by calls": (Pace(100, 8, call_s=0.5), 10_000, 6.5, "limits"),
    "by the rate": (Pace(100, 8, calls_per_second=2.0, call_s=0.5), 10_000, 50.0, "limits"),
    "with others before": (Pace(100, 1, call_s=1.0, waiting=900), 100, 10.0, "limits"),
    "as it went": (Pace(100, 8, call_s=0.5, rate=50.0, rate_of="the rate of job x", waiting=100), 400, 10.0, "job x"),
    "unknown": (Pace(100, 8), 10_000, None, "nothing is known"),
}


@pytest.mark.parametrize("name", PACES)
def test_the_time_goes_by_what_is_known_of_the_account(name):
    pace, references, seconds, by = PACES[name]
    found = pace.seconds(references)
    assert found[0] == (None if seconds is None else pytest.approx(seconds, abs=0.51))
    assert by in found[1]


@pytest.mark.parametrize(
    ("pace", "deadline_ms", "met"),
    [(PACE, None, None), (Pace(100, 8), NOW_MS + 1, None), (PACE, NOW_MS + 10_000, True), (PACE, NOW_MS + 100, False)],
)
def test_whether_the_deadline_is_met(pace, deadline_ms, met):
    looked = facts("O" * 10, pace=pace, deadline_ms=deadline_ms)
    assert deadline_met(looked) is met
    assert any("deadline" in one for one in report(looked)["warnings"]) is (met is False)


def test_the_report_has_the_form_that_the_api_describes_and_survives_the_ledger():
    jobs = [Overlapping("35j3", 5, "completed", NOW_MS)]
    found = orjson.loads(orjson.dumps(report(facts("OM?NC", overlap=Overlap(jobs, 1, 5)))))
    Plan.model_validate(plan_view(Kept("pl_0", "default", True, 5, "d", "anna", 1, 2, None, found)))


def test_what_is_handed_to_a_worker_comes_back_as_it_was():
    overlap = Overlap([Overlapping("35j3", 5, "completed", NOW_MS)], 5, 9, "a gap")
    asked = PreflightRequest(["EC-000-000-001"], Intake(9, 1, 2, 3), overlap, NOW_MS)
    assert PreflightRequest.of(orjson.loads(orjson.dumps(asked.packed()))) == asked


def test_a_percentage_is_never_nothing_of_something_nor_all_of_less():
    assert [percent(share) for share in (0.0, 0.0001, 0.4, 0.999, 1.0)] == [
        "0 %", "less than 1 %", "40 %", "more than 99 %", "100 %"
    ]  # fmt: skip
    assert amount(Portion(1, 1, 1)) == "100 % (1 of 1) is"
