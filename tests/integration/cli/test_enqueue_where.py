"""`cancellist enqueue --where`: what the platform finds by filters becomes a job, or nothing does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.commands import Desk
from tests.support.commands import desk as a_desk

STATE = ("--where", "State=Allocated")
LEEDS = ("--where", "ShippingLocationReference=Leeds_DC1")
DAY = ("--where", "CreatedDateFrom=2026-08-01T00:00:00Z", "--where", "CreatedDateTo=2026-08-01T18:00:00+01:00")
WHERE = (*STATE, *LEEDS, *DAY)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(tmp_path_factory.mktemp("where")) as desk:
        yield desk


@pytest.fixture
def platform(desk: Desk) -> Iterator[Any]:
    """Changes the platform's settings for one test."""
    yield lambda **changes: desk.platform.send("PUT", "/sandbox/settings", changes)
    desk.platform.send("PUT", "/sandbox/settings", {"ignored_filters": [], "faults": {}, "at": {}})


def asked(desk: Desk) -> list[str]:
    return [call["endpoint"] for call in desk.platform.calls()]


def matching(desk: Desk) -> dict[str, Any]:
    return dict(desk.ok("enqueue", *WHERE, "--dry-run", "--json").document)


def test_exactly_what_was_shown_is_enqueued_with_the_options_of_a_job(desk: Desk):
    before = asked(desk)
    shown = matching(desk)
    assert asked(desk)[len(before) :] == ["references", *["consignment"] * 5]
    assert (shown["account"], shown["filters"]["State"]) == ("default", "Allocated")
    assert len(set(shown["sample"])) == min(20, shown["total"])
    options = ("--reason", "depot closed", "--priority", "bulk", "--idempotency-key", "leeds", "--json")
    made = desk.ok("enqueue", *WHERE, *options, "--yes")
    assert made.document["total"] == shown["total"] > 20
    assert all(one in made.err for one in shown["sample"])
    assert desk.ok("enqueue", *WHERE, *options, "--yes").document["job"] == made.document["job"]
    document = desk.ok("status", made.document["job"], "--json").document
    assert (document["reason"], document["priority"]) == ("depot closed", "bulk")
    desk.drain()
    results = desk.ok("results", made.document["job"]).lines
    assert {one["outcome"] for one in results} == {"cancelled"}
    assert set(shown["sample"]) <= {one["reference"] for one in results}
    none = desk.run("enqueue", *WHERE, "--yes")
    assert (none.status, none.out) == (1, ""), none
    assert "no consignment of account default matches" in none.err


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (["Colour=red"], "there is no filter 'Colour'; there are: State,"),
        (["States=Allocated"], "there is no filter"),
        (["State"], "write it as NAME=VALUE"),
        (["State="], "has no value"),
        (["State=Allocatd"], "is no value of State"),
        (["State=Cancelled"], "it is cancelled already"),
        (["State=Manifested"], "only before manifesting"),
        (["State=Allocated", "state=ReadyToShip"], "given twice"),
        (["Direction=Up"], "there are: Inbound, Outbound"),
        (["LabelsPrinted=1"], "there are: true, false"),
        (["CreatedDateFrom=2026-08-01"], "has no offset"),
        (["ValueFrom=cheap"], "a number"),
        (["ValueFrom=9", "ValueTo=8"], "nothing could match"),
        (["DestinationCountryCode=GBR"], "two letters"),
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_asked(desk: Desk, filters: list[str], words: str):
    before = len(asked(desk))
    done = desk.run("enqueue", *(part for one in filters for part in ("--where", one)), "--yes")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert words in done.err
    assert len(asked(desk)) == before


@pytest.mark.parametrize(
    "arguments", [(), ("--where", "State=Allocated", "file.txt"), (*STATE, "--no-header"), ("file.txt", "--yes")]
)
def test_files_and_filters_are_one_or_the_other(desk: Desk, arguments: tuple[str, ...]):
    done = desk.run("enqueue", *arguments)
    assert (done.status, done.out) == (2, ""), done


@pytest.mark.parametrize(("given", "status"), [("n\n", 1), ("", 2), ("perhaps\n", 2)])
def test_what_is_not_agreed_to_is_not_enqueued(desk: Desk, given: str, status: int):
    before = desk.jobs()
    done = desk.run("enqueue", "--where", "State=ReadyToShip", text=given)
    assert (done.status, done.out) == (status, ""), done
    assert desk.jobs() == before


@pytest.mark.parametrize(
    ("filters", "ignored"),
    [
        (("State=ReadyToShip",), "State"),
        (("ShippingLocationReference=Dublin_DC5",), "ShippingLocationReference"),
        (("CreatedDateTo=2026-08-01T04:00:00Z",), "CreatedDateTo"),
        (("WeightInGramsTo=300",), "WeightInGramsTo"),
        (("State=ReadyToShip", "CarrierService=UPS_EXPRESS"), "CarrierService"),
        (("State=ReadyToShip", "ShippedDateFrom=2026-08-02T00:00:00Z"), "ShippedDateFrom"),
        (("State=ReadyToShip", "TrackingReference=X1"), "TrackingReference"),
    ],
)
def test_a_filter_that_the_platform_ignores_is_noticed(desk: Desk, platform: Any, filters, ignored: str):
    platform(ignored_filters=[ignored])
    before = desk.jobs()
    done = desk.run("enqueue", *(part for one in filters for part in ("--where", one)), "--yes")
    assert (done.status, done.out) == (1, ""), done
    assert ignored in done.err
    assert "no job was created" in done.err
    assert desk.jobs() == before


@pytest.mark.parametrize("fault", ["truncated", "429-before", "503-before"])
def test_an_answer_that_is_no_list_of_references_is_refused_whole(desk: Desk, platform: Any, fault: str):
    platform(faults={f"search:{fault}": 1})
    before = desk.jobs()
    done = desk.run("enqueue", *STATE, "--yes", "--json")
    assert (done.status, done.out) == (1, ""), done
    assert '"search"' in done.err
    assert desk.jobs() == before


def test_a_paused_account_makes_no_call(desk: Desk):
    desk.ok("pause")
    try:
        before = len(asked(desk))
        done = desk.run("enqueue", *STATE, "--dry-run")
        assert (done.status, len(asked(desk))) == (1, before), done
        assert "is paused" in done.err
    finally:
        desk.ok("resume")
