"""The sandbox over real HTTP, as a caller of the platform sees it."""

import asyncio
from email.utils import parsedate_to_datetime

import aiohttp
import orjson
import pytest

from tests.support.local_platform import platform, until

OPEN = "Allocated=1"
SUCCESS = "Consignment cancellation completed successfully"


async def cancel_list(http, references):
    async with http.put("/consignments/cancellist", json=references) as answer:
        return answer.status, orjson.loads(await answer.read())


def states(server, references):
    return [row["state"] for row in server.record(references)]


async def test_a_list_is_cancelled_with_an_item_for_each_reference():
    async with platform() as (server, http):
        names = server.references(3)
        async with http.put("/Consignments/CancelList", json=[names[0].lower(), *names[1:]]) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            assert await answer.json() == [
                {"IsSuccess": True, "Message": SUCCESS, "Data": name, "ApiLinks": None} for name in names
            ]
        assert states(server, names) == ["Cancelled"] * 3
        assert [row["cancelled_by_call"] for row in server.record(names)] == [1, 1, 1]


@pytest.mark.parametrize("state", ["Manifested", "Delivered", "Cancelled", "Allocating", "Manifesting", "Cancelling"])
async def test_what_cannot_be_cancelled_is_refused_alone_and_in_bulk(state):
    async with platform(mix=f"{state}=1") as (server, http):
        name = server.reference(0)
        status, (item,) = await cancel_list(http, [name])
        assert (status, item["IsSuccess"], item["Data"]) == (200, False, name)
        assert item["Message"] != SUCCESS
        async with http.put(f"/consignments/{name}/cancel") as answer:
            assert answer.status == 400
            assert set(await answer.json()) == {"Code", "Message", "CorrelationId", "Details"}
        assert server.record([name]) == [
            {
                "reference": name,
                "state": state,
                "initial_state": state,
                "changed_at": None,
                "cancelled_by_call": None,
                "cancel_calls": 2,
            }
        ]


async def test_one_alone_is_cancelled_with_an_empty_answer_and_only_once():
    async with platform() as (server, http):
        name = server.reference(7)
        async with http.put(f"/consignments/{name.lower()}/cancel") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with http.put(f"/consignments/{name}/cancel") as answer:
            assert answer.status == 400
        assert states(server, [name]) == ["Cancelled"]


async def test_an_unknown_reference_is_refused_alone_with_404_and_in_a_list_by_its_item():
    async with platform() as (server, http):
        known, unknown = server.reference(0), server.reference(1000)
        status, items = await cancel_list(http, [unknown, known, "nonsense"])
        assert (status, [item["IsSuccess"] for item in items]) == (200, [False, True, False])
        for call in (http.put(f"/consignments/{unknown}/cancel"), http.get(f"/consignments/{unknown}/status")):
            async with call as answer:
                assert answer.status == 404
                assert (await answer.json())["Code"] == "consignment_not_found"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_request"),
        (b"{", 400, "invalid_request"),
        (b"{}", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b"[1]", 400, "invalid_request"),
        (b'[""]', 400, "invalid_request"),
        (b'["EC-000-000-001","ec-000-000-001"]', 400, "duplicate_references"),
        (b'["a","b","c","d"]', 413, "list_too_long"),
    ],
)
async def test_a_wrong_list_is_refused_as_a_whole(body, status, code):
    async with platform(list_limit=3) as (_, http), http.put("/consignments/cancellist", data=body) as answer:
        assert answer.status == status
        assert (await answer.json())["Code"] == code


@pytest.mark.parametrize("poison", [400, 404])
async def test_in_poison_mode_one_unknown_reference_refuses_the_whole_list(poison):
    async with platform(poison=poison) as (server, http):
        names = server.references(2)
        assert (await cancel_list(http, [*names, "EC-ZZZ-ZZZ-ZZZ"]))[0] == poison
        assert states(server, names) == ["Allocated"] * 2
        assert (await cancel_list(http, names))[0] == 200


async def test_a_status_and_a_record_are_read_back():
    async with platform() as (server, http):
        name = server.reference(3)
        await cancel_list(http, [name])
        async with http.get(f"/consignments/{name.lower()}/status") as answer:
            status = await answer.json()
        assert status["ConsignmentReferenceForAllLegsAssignedByMpd"] == name
        assert status["Status"] == "Cancelled"
        async with http.get(f"/consignments/{name}") as answer:
            document = await answer.json()
        assert (document["Reference"], document["ConsignmentState"]) == (name, "Cancelled")
        assert {address["AddressType"] for address in document["Addresses"]} == {"Origin", "Destination"}


async def test_a_search_finds_what_matches_now():
    async with platform(mix="Allocated=9,Manifested=1", consignments=3000) as (server, http):

        async def found(**query):
            async with http.get("/consignments/getConsignmentReferences", params=query) as answer:
                return answer.status, await answer.json()

        status, everything = await found()
        assert (status, everything) == (200, server.references(3000))
        _, allocated = await found(State="Allocated")
        _, manifested = await found(state="manifested")
        assert sorted(allocated + manifested) == sorted(everything)
        await cancel_list(http, allocated[:5])
        assert (await found(State="Cancelled"))[1] == allocated[:5]
        assert (await found(State="Lost"))[0] == 404
        assert (await found(Colour="red"))[0] == 400
        assert (await found(LabelsPrinted="perhaps"))[0] == 400


async def test_a_created_consignment_can_be_cancelled():
    async with platform() as (server, http):
        addresses = [{"AddressType": "Origin"}, {"AddressType": "Destination"}]
        async with http.post("/consignments", json={"Packages": [{"Weight": 1}], "Addresses": addresses[:1]}) as answer:
            assert answer.status == 400
            assert [about["Target"] for about in (await answer.json())["Details"]] == ["Packages[0]", "Addresses"]
        document = {"Packages": [{"PackageSizeReference": "small"}], "Addresses": addresses}
        async with http.post("/consignments", json=document) as answer:
            assert answer.status == 201
            (link,) = await answer.json()
        assert link["Rel"] == "Link"
        async with http.get(link["Href"] + "/status") as answer:
            assert (await answer.json())["Status"] == "Unallocated"
        name = link["Href"].rpartition("/")[2]
        await cancel_list(http, [name])
        assert states(server, [name]) == ["Cancelled"]


async def test_where_the_older_rule_holds_deallocation_comes_first():
    async with platform(deallocate_first=True) as (server, http):
        names = server.references(2)
        assert [item["IsSuccess"] for item in (await cancel_list(http, names))[1]] == [False, False]
        async with http.put("/consignments/deallocatelist", json=names) as answer:
            assert [item["IsSuccess"] for item in await answer.json()] == [True, True]
        assert states(server, names) == ["Unallocated"] * 2
        async with http.put("/consignments/deallocatelist", json=names) as answer:
            assert [item["IsSuccess"] for item in await answer.json()] == [False, False]
        assert [item["IsSuccess"] for item in (await cancel_list(http, names))[1]] == [True, True]


async def test_a_key_is_wanted_only_where_one_is_set_and_never_by_the_control_routes():
    async with platform() as (server, http):
        path = f"/consignments/{server.reference(0)}/status"
        async with http.get(path, headers={"ocp-apim-subscription-key": "any"}) as answer:
            assert answer.status == 200
        server.change(api_key="right")
        for headers in ({}, {"ocp-apim-subscription-key": "wrong"}):
            async with http.get(path, headers=headers) as answer:
                assert answer.status == 401
                assert set(await answer.json()) == {"statusCode", "message"}
        async with http.get(path, headers={"Ocp-Apim-Subscription-Key": "right"}) as answer:
            assert answer.status == 200
        async with http.get("/sandbox/settings") as answer:
            assert "right" not in await answer.text()


async def test_past_its_capacity_calls_get_429_and_are_not_acted_on():
    async with platform(capacity=1, faults={"single:timeout-after": 1}) as (server, http):
        first, second = server.references(2)
        hanging = asyncio.create_task(http.put(f"/consignments/{first}/cancel"))
        await until(lambda: server.stats()["in_flight"] == 1)
        status, _ = await cancel_list(http, [second])
        assert status == 429
        assert states(server, [second]) == ["Allocated"]
        hanging.cancel()
        await until(lambda: server.stats()["in_flight"] == 0)
        status, _ = await cancel_list(http, [second])
        assert status == 200


async def test_past_its_rate_calls_get_429_with_the_retry_after_that_was_set():
    async with platform(rate=0.001) as (server, http):
        path = f"/consignments/{server.reference(0)}/status"
        async with http.get(path) as answer:
            assert answer.status == 200
        async with http.get(path) as answer:
            assert answer.status == 429
            assert "Retry-After" not in answer.headers
        server.change(retry_after_s=2.5)
        async with http.get(path) as answer:
            assert answer.headers["Retry-After"] == "2.5"
        server.change(retry_after_date=True)
        async with http.get(path) as answer:
            assert parsedate_to_datetime(answer.headers["Retry-After"])


async def test_a_call_takes_the_latency_and_more_for_each_reference():
    async with platform(latency_ms=30, jitter_ms=10, per_reference_ms=1) as (server, http):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await cancel_list(http, server.references(20))
        assert loop.time() - started >= 0.04
        assert states(server, server.references(1)) == ["Cancelled"]


async def test_a_long_list_takes_more_than_in_proportion_beyond_the_knee():
    async with platform(per_reference_ms=1, list_knee=10) as (server, http):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await cancel_list(http, server.references(10))
        short = loop.time() - started
        started = loop.time()
        await cancel_list(http, server.references(40))
        assert loop.time() - started >= 0.16
        assert short >= 0.01


async def test_calls_beyond_the_saturation_take_longer_in_proportion():
    async with platform(latency_ms=30, saturation=1) as (server, http):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(cancel_list(http, [name]) for name in server.references(4)))
        assert loop.time() - started >= 0.12
        assert server.stats()["peak_in_flight"] == 4


async def test_a_call_is_acted_on_even_where_its_caller_has_gone():
    async with platform(latency_ms=50) as (server, http):
        name = server.reference(0)
        with pytest.raises(TimeoutError):
            await http.put(f"/consignments/{name}/cancel", timeout=aiohttp.ClientTimeout(total=0.02))
        await until(lambda: states(server, [name]) == ["Cancelled"])
        await until(lambda: server.stats()["in_flight"] == 0)


async def test_a_large_answer_is_packed_for_who_accepts_it():
    async with platform() as (server, http):
        for gzip, packs, encoding in ((True, "gzip", "gzip"), (True, "identity", None), (False, "gzip", None)):
            server.change(gzip=gzip)
            names, headers = server.references(50), {"Accept-Encoding": packs}
            async with http.put("/consignments/cancellist", json=names, headers=headers) as answer:
                assert answer.headers.get("Content-Encoding") == encoding
                assert len(await answer.json()) == 50


async def test_other_paths_and_methods_are_refused_and_a_login_page_stands_at_the_end_of_a_redirect():
    async with platform() as (_, http):
        for method, path, status in (
            ("GET", "/", 404),
            ("DELETE", "/consignments/cancellist", 405),
            ("GET", "/login", 200),
            ("GET", "/sandbox/nothing", 404),
            ("DELETE", "/sandbox/stats", 405),
        ):
            async with http.request(method, path) as answer:
                assert (path, answer.status) == (path, status)


async def test_the_record_is_told_by_lines_and_by_reference():
    async with platform(mix="Allocated=1,Manifested=1") as (server, http):
        names = server.references(600)
        await cancel_list(http, names)
        await cancel_list(http, ["EC-ZZZ-ZZZ-ZZZ", names[0]])
        async with http.get("/sandbox/record") as answer:
            rows = {row["reference"]: row for row in map(orjson.loads, (await answer.read()).splitlines())}
        assert set(rows) == {*names, "EC-ZZZ-ZZZ-ZZZ"}
        assert rows["EC-ZZZ-ZZZ-ZZZ"]["state"] is None
        assert rows[names[0]]["cancel_calls"] == 2
        asked = [names[1], names[0].lower(), "EC-ZZZ-ZZZ-ZZZ", server.reference(999)]
        async with http.post("/sandbox/record", json=asked) as answer:
            told = await answer.json()
        assert told == server.record(asked)
        assert told[:3] == [rows[name.upper()] for name in asked[:3]]
        assert told[3]["cancel_calls"] == 0
        async with http.post("/sandbox/record", json=[]) as answer:
            assert await answer.json() == []


async def test_stats_and_calls_tell_what_callers_did():
    async with platform() as (server, http):
        names = server.references(4)
        await cancel_list(http, [*names, names[0]])
        await cancel_list(http, names)
        await (await http.get(f"/consignments/{names[0]}/status")).read()
        async with http.get("/sandbox/stats") as answer:
            stats = await answer.json()
        assert stats == server.stats()
        assert stats["calls"] == {"cancellist": 2, "status": 1}
        assert stats["answers"] == {"400": 1, "200": 2}
        assert (stats["references_named"], stats["duplicates_in_lists"], stats["in_flight"]) == (9, 1, 0)
        async with http.get("/sandbox/calls", params={"since": 1}) as answer:
            calls = [orjson.loads(line) for line in (await answer.read()).splitlines()]
        assert [(call["number"], call["endpoint"], call["status"]) for call in calls] == [
            (2, "cancellist", 200),
            (3, "status", 200),
        ]
        assert calls[0]["started_s"] <= calls[0]["ended_s"]
        async with http.post("/sandbox/stats/reset") as answer:
            assert (await answer.json())["calls"] == {}


async def test_settings_are_changed_and_shown_over_http():
    async with platform() as (server, http):
        async with http.put("/sandbox/settings", json={"latency_ms": 1, "faults": {"500-before": 1}}) as answer:
            assert answer.status == 200
            assert (await answer.json())["faults"] == {"500-before": 1}
        async with http.put(f"/consignments/{server.reference(0)}/cancel") as answer:
            assert answer.status == 500
        for wrong in (b"x", b"[]", b'{"seed": 2}', b'{"faults": {"nonsense": 1}}'):
            async with http.put("/sandbox/settings", data=wrong) as answer:
                assert answer.status == 400
                assert "error" in await answer.json()
        async with http.get("/sandbox/settings") as answer:
            shown = await answer.json()
        assert (shown["latency_ms"], shown["capacity"]) == (1, None)
        async with http.get("/sandbox/health") as answer:
            assert (await answer.json())["status"] == "ok"
