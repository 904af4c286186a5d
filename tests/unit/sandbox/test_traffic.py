import inspect
import re

import pytest
from pydantic import ValidationError

from cancellist.sandbox.command import sandbox
from cancellist.sandbox.options import SandboxOptions, Settings, changed, explain
from cancellist.sandbox.routes import Endpoint, Route, route
from cancellist.sandbox.traffic import Gate, Traffic


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", "/Consignments/CancelList", Route(Endpoint.CANCEL_LIST)),
        ("PUT", "/consignments/cancellist/", Route(Endpoint.CANCEL_LIST)),
        ("PUT", "/consignments/EC-1/Cancel", Route(Endpoint.CANCEL, "EC-1")),
        ("GET", "/CONSIGNMENTS/EC-1/STATUS", Route(Endpoint.STATUS, "EC-1")),
        ("GET", "/consignments/ec-1", Route(Endpoint.CONSIGNMENT, "ec-1")),
        ("GET", "/consignments/getConsignmentReferences", Route(Endpoint.SEARCH)),
        ("POST", "/consignments", Route(Endpoint.CREATE)),
        ("PUT", "/consignments/deallocatelist", Route(Endpoint.DEALLOCATE_LIST)),
        ("PUT", "/consignments/SetNotReadyToShip", Route(Endpoint.SET_NOT_READY)),
        ("PUT", "/consignments/EC-1/deallocate", Route(Endpoint.DEALLOCATE, "EC-1")),
        ("GET", "/consignments/getConsignmentWithMetadata/EC-1", Route(Endpoint.CONSIGNMENT, "EC-1")),
        ("GET", "/consignments/100/20/", Route(Endpoint.PAGE, take=100, skip=20)),
        ("PUT", "/consignments/100/20", Route(Endpoint.WRONG_METHOD)),
        ("GET", "/consignments/1e3/0", Route(Endpoint.UNKNOWN)),
        ("GET", "/consignments/9999999999999/0", Route(Endpoint.UNKNOWN)),
        ("GET", "/consignments/Summary", Route(Endpoint.SUMMARY)),
        ("PUT", "/consignments/summary", Route(Endpoint.WRONG_METHOD)),
        ("GET", "/consignments/count", Route(Endpoint.UNKNOWN)),
        ("PUT", "/consignments/COUNT/cancel", Route(Endpoint.UNKNOWN)),
        ("GET", "/consignments/summary/status", Route(Endpoint.UNKNOWN)),
        ("GET", "/login", Route(Endpoint.LOGIN)),
        ("GET", "/consignments", Route(Endpoint.WRONG_METHOD)),
        ("POST", "/consignments/cancellist", Route(Endpoint.WRONG_METHOD)),
        ("POST", "/consignments/EC-1/cancel", Route(Endpoint.WRONG_METHOD)),
        ("PUT", "/consignments/EC-1/burn", Route(Endpoint.UNKNOWN)),
        ("GET", "/", Route(Endpoint.UNKNOWN)),
        ("GET", "/consignments/a/b/c", Route(Endpoint.UNKNOWN)),
    ],
)
def test_paths_lead_to_endpoints_in_any_case(method, path, expected):
    assert route(method, path) == expected


def test_the_gate_lets_in_no_more_than_its_capacity():
    gate, settings = Gate(), Settings(capacity=2)
    assert [gate.enter(0, settings) is None for _ in range(3)] == [True, True, False]
    gate.leave()
    assert gate.enter(0, settings) is None


@pytest.mark.parametrize(("rate", "per_window", "window_s"), [(10, 10, 1), (2.5, 2, 0.8), (0.5, 1, 2)])
def test_the_gate_lets_in_no_more_than_its_rate_in_any_window(rate, per_window, window_s):
    gate, settings = Gate(), Settings(rate=rate)
    times = [place * window_s / 100 for place in range(1000)]
    admitted = [now for now in times if gate.enter(now, settings) is None]
    assert len(admitted) == per_window * 10
    assert all(later - now >= window_s - 1e-9 for now, later in zip(admitted, admitted[per_window:], strict=False))


def test_stats_count_calls_names_and_peaks():
    traffic = Traffic(started_at=5.0)
    first = traffic.begin(Endpoint.CANCEL_LIST, 0.0, 100.0)
    second = traffic.begin(Endpoint.CANCEL, 0.999, 101.0)
    traffic.name(first, 10, 8)
    traffic.name(second, 1, 1)
    first.status, first.fault = 200, "html"
    traffic.end(first, 1.0)
    traffic.end(second, 1.0)
    third = traffic.begin(Endpoint.STATUS, 1.5, 102.0)
    traffic.name(third, 1, 1)
    assert traffic.stats() == {
        "started_at": 5.0,
        "since": 5.0,
        "calls": {"cancellist": 1, "cancel": 1, "status": 1},
        "answers": {"200": 1, "none": 1},
        "faults": {"html": 1},
        "in_flight": 1,
        "to_act_late": 0,
        "peak_in_flight": 2,
        "peak_cancel_calls_per_second": 2,
        "references_named": 11,
        "duplicates_in_lists": 2,
        "largest_list": 10,
    }
    assert [row["number"] for part in traffic.calls(1) for row in part] == [2, 3]
    traffic.reset(9.0)
    assert traffic.stats()["calls"] == {}
    assert traffic.stats()["peak_in_flight"] == traffic.stats()["in_flight"] == 1


def test_the_busiest_second_slides():
    traffic = Traffic(0.0)
    for now in (0.0, 0.9, 1.5, 1.8, 2.4):
        traffic.begin(Endpoint.CANCEL, now, now)
    assert traffic.stats()["peak_cancel_calls_per_second"] == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latency": 1}, "latency"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": True}, "capacity"),
        ({"poison": 500}, "poison"),
        ({"seed": 2}, "seed"),
        ({"faults": {"nonsense": 1}}, "faults: unknown fault 'nonsense'"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(changes, words):
    with pytest.raises(ValidationError) as caught:
        changed(Settings(), changes)
    assert words in explain(caught.value)


@pytest.mark.parametrize("name", SandboxOptions.model_fields)
def test_a_wrong_setting_is_told_in_our_own_words(name):
    told = []
    for value in (-1, "nowhere", None, {"x": "y"}, {"x": {"y": -1}}, 1e300, "", 5000000.5):
        try:
            SandboxOptions.model_validate({name: value})
        except ValidationError as error:
            told.append(explain(error, str.upper))
    assert told
    for line in told:
        assert line.startswith(f"{name.upper()}: ")
        assert not re.search(r"Input should|should be|should have|unable to|\n", line), line


def test_changing_one_setting_keeps_the_others_and_never_shows_the_key():
    settings = changed(Settings(latency_ms=5, api_key="hidden"), {"rate": 3})
    assert (settings.latency_ms, settings.rate, settings.api_key.get_secret_value()) == (5, 3, "hidden")
    assert "hidden" not in repr(settings)
    assert "hidden" not in settings.model_dump_json()


def test_the_commands_defaults_are_those_of_the_options():
    options = SandboxOptions()
    own = {"port", "mix", "fault", "at", "ignored_filters", "as_json"}
    defaults = {name: parameter.default for name, parameter in inspect.signature(sandbox).parameters.items()}
    assert {name: value for name, value in defaults.items() if name not in own} == {
        name: getattr(options, name) for name in defaults if name not in own
    }
    assert set(SandboxOptions.model_fields) - set(defaults) == {"faults"}
    assert defaults["ignored_filters"] is None
    assert options.ignored_filters == []
