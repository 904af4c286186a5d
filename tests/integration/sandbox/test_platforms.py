"""The other possible platforms over real HTTP: each option, and whether the record stays exact."""

import asyncio
from email.utils import parsedate_to_datetime
from time import time

import aiohttp
import orjson
import pytest

from cancellist.sandbox.faults.kinds import Acts, FaultKind, acts
from tests.support.local_platform import platform, until

LATE = sorted(kind for kind in FaultKind if acts(kind) is Acts.LATE)
LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, TimeoutError)
EVERY_STATE = "Manifested=1,Delivered=1,Cancelled=1,Allocating=1,Dispatched=1,InTransitWaiting=1"


async def put(http, path, **options):
    async with http.put(f"/consignments/{path}", **options) as answer:
        body = await answer.read()
        return answer.status, orjson.loads(body) if body else None


async def cancel_list(http, names):
    return await put(http, "cancellist", json=names)


def states(server, names):
    return [row["state"] for row in server.record(names)]


async def test_generic_words_do_not_tell_one_refusal_from_another():
    async with platform(refusal_words="generic", mix=EVERY_STATE) as (server, http):
        names = [*server.references(300), server.reference(1000), "nonsense"]
        _, items = await cancel_list(http, names)
        assert {item["Message"] for item in items} == {"Consignment cancellation failed"}
        assert not any(item["IsSuccess"] for item in items)
        status, alone = await put(http, f"{names[0]}/cancel")
        assert (status, alone["Message"], alone["Details"]) == (400, "Consignment cancellation failed", [])
        status, alone = await put(http, f"{server.reference(1000)}/cancel")
        assert (status, alone["Message"], alone["Details"]) == (404, "Consignment cancellation failed", [])


@pytest.mark.parametrize(("words", "text"), [("state", "in state Delivered"), ("code", "invalid_consignment_state")])
async def test_words_name_the_state_or_are_a_code_alone_and_in_bulk(words, text):
    async with platform(refusal_words=words, mix="Delivered=1") as (server, http):
        _, (item,) = await cancel_list(http, server.references(1))
        _, alone = await put(http, f"{server.reference(0)}/cancel")
        assert item["Message"] == alone["Message"]
        assert item["Message"].endswith(text)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("Manifested", True),
        ("Dispatched", True),
        ("InTransit", True),
        ("InTransitWaiting", False),
        ("Delivered", False),
    ],
)
async def test_where_manifested_ones_can_be_cancelled_they_are(state, allowed):
    async with platform(manifested_cancellable=True, mix=f"{state}=1") as (server, http):
        names = server.references(2)
        _, (item,) = await cancel_list(http, names[:1])
        status, _ = await put(http, f"{names[1]}/cancel")
        assert (item["IsSuccess"], status == 200) == (allowed, allowed)
        assert states(server, names) == ["Cancelled" if allowed else state] * 2


async def test_a_strict_platform_acts_on_nothing_that_lacks_the_headers():
    right = {"Content-Type": "application/json", "electio-api-version": "1.1"}
    async with platform(strict=True) as (server, http):
        path = f"{server.reference(0)}/cancel"
        for left_out, refused in (("Content-Type", 415), ("electio-api-version", 400)):
            some = {name: value for name, value in right.items() if name != left_out}
            status, body = await put(http, path, headers=some)
            assert (status, set(body)) == (refused, {"Code", "Message", "CorrelationId", "Details"})
        assert states(server, server.references(1)) == ["Allocated"]
        async with http.get(f"/consignments/{server.reference(0)}/status") as answer:
            assert answer.status == 400
        assert (await put(http, path, headers=right))[0] == 200
        assert (await put(http, "cancellist", headers=right, data=orjson.dumps(server.references(2))))[0] == 200
        assert states(server, server.references(2)) == ["Cancelled"] * 2
        async with http.get("/sandbox/stats") as answer:
            assert answer.status == 200


async def test_what_is_ready_to_ship_is_set_back_and_then_cancelled():
    async with platform(ready_to_ship_refused=True, mix="ReadyToShip=1") as (server, http):
        names = server.references(2)
        assert [item["IsSuccess"] for item in (await cancel_list(http, names))[1]] == [False, False]
        _, items = await put(http, "deallocatelist", json=names)
        assert [item["IsSuccess"] for item in items] == [False, False]
        _, items = await put(http, "SetNotReadyToShip", json=names)
        assert {item["Message"] for item in items} == {
            "Consignment set back to Allocated from Ready To Ship completed successfully"
        }
        assert states(server, names) == ["Allocated"] * 2
        _, items = await put(http, "setnotreadytoship", json=names)
        assert [item["IsSuccess"] for item in items] == [False, False]
        assert [item["IsSuccess"] for item in (await cancel_list(http, names))[1]] == [True, True]


@pytest.mark.parametrize("state", ["Allocated", "Manifested", "ManifestFailed", "ReadyToShip", "InTransit"])
async def test_one_alone_is_deallocated_from_the_documented_states(state):
    async with platform(mix=f"{state}=1") as (server, http):
        path = f"{server.reference(0)}/deallocate"
        allowed = state in {"Allocated", "Manifested", "ManifestFailed"}
        status, body = await put(http, path)
        assert (status, body is None) == ((200, True) if allowed else (400, False))
        assert states(server, server.references(1)) == ["Unallocated" if allowed else state]
        assert (await put(http, path))[0] == 400
        assert (await put(http, f"{server.reference(1000)}/deallocate"))[0] == 404


@pytest.mark.parametrize("kind", LATE)
@pytest.mark.parametrize("scope", ["list", "single"])
async def test_a_call_that_was_given_up_is_in_the_record_once_it_acts(kind, scope):
    async with platform(faults={f"{scope}:{kind}": 1.0}, late_ms=500, hang_ms=20) as (server, http):
        names = server.references(3 if scope == "list" else 1)
        call = cancel_list(http, names) if scope == "list" else put(http, f"{names[0]}/cancel")
        try:
            status, _ = await call
        except LOST:
            status = None
        except orjson.JSONDecodeError:
            status = 504
        assert status == (int(kind[:3]) if kind[:3].isdigit() else None)
        given_up = time()
        assert states(server, names) == ["Allocated"] * len(names)
        assert server.stats()["to_act_late"] == 1
        await until(lambda: server.stats()["to_act_late"] == 0)
        rows = server.record(names)
        assert [(row["state"], row["cancelled_by_call"]) for row in rows] == [("Cancelled", 1)] * len(names)
        assert all(given_up < row["changed_at"] <= time() for row in rows)


async def test_a_call_whose_caller_left_while_it_was_worked_on_is_told_until_it_has_acted():
    async with platform(latency_ms=300) as (server, http):
        name = server.reference(0)
        calling = asyncio.create_task(http.put(f"/consignments/{name}/cancel"))
        await until(lambda: server.stats()["in_flight"] == 1)
        calling.cancel()
        await until(lambda: server.stats()["in_flight"] == 0)
        assert (server.stats()["to_act_late"], states(server, [name])) == (1, ["Allocated"])
        await until(lambda: server.stats()["to_act_late"] == 0)
        assert states(server, [name]) == ["Cancelled"]


async def test_a_late_call_does_not_take_what_another_has_cancelled():
    async with platform(faults={"single:504-late": 1.0}, late_ms=100) as (server, http):
        name = server.reference(0)
        async with http.put(f"/consignments/{name}/cancel") as answer:
            assert answer.status == 504
        await cancel_list(http, [name])
        await until(lambda: server.stats()["to_act_late"] == 0)
        assert server.record([name])[0]["cancelled_by_call"] == 2


async def test_a_fault_comes_with_a_reference_alone_and_in_any_list_for_ever_or_a_few_times():
    async with platform() as (server, http):
        always, thrice, other = server.references(3)
        server.change(at={always: {"429-before": None}, thrice.lower(): {"429-before": 3}})
        assert (await put(http, f"{always}/cancel"))[0] == 429
        assert (await cancel_list(http, [other, always]))[0] == 429
        assert [(await cancel_list(http, [other, thrice]))[0] for _ in range(4)] == [429, 429, 429, 200]
        assert (await cancel_list(http, [always]))[0] == 429
        assert states(server, [always, thrice, other]) == ["Allocated", "Cancelled", "Cancelled"]
        assert server.stats()["faults"] == {"429-before": 6}
        server.change(latency_ms=1)
        assert (await cancel_list(http, [thrice]))[0] == 200
        server.change(at={})
        assert (await cancel_list(http, [always]))[0] == 200


async def test_a_fault_of_items_hits_the_item_of_its_reference():
    async with platform() as (server, http):
        names = server.references(9)
        server.change(at={names[4]: {"list:data-null": None}})
        _, items = await cancel_list(http, names)
        assert [item["Data"] for item in items] == [*names[:4], None, *names[5:]]


async def test_faults_end_when_their_time_is_over():
    async with platform(faults={"reads:404-bodyless-before": 1.0}, faults_for_s=0.2) as (server, http):
        path = f"/consignments/{server.reference(0)}/status"

        async def read():
            async with http.get(path) as answer:
                return answer.status, await answer.read()

        assert (await put(http, f"{server.reference(1)}/cancel"))[0] == 200
        assert await read() == (404, b"")
        async with asyncio.timeout(10):
            while (await read())[0] != 200:  # noqa: ASYNC110 - the server's time, with no event of ours
                await asyncio.sleep(0)
        server.change(faults={"reads:404-bodyless-before": 1.0})
        assert await read() == (404, b"")


@pytest.mark.parametrize("kind", ["stale-age", "stale-date", "stale-modified"])
async def test_a_stale_read_tells_the_state_of_before_and_one_header_that_it_is_old(kind):
    async with platform(faults={f"reads:{kind}": 1.0}) as (server, http):
        name = server.reference(0)
        await cancel_list(http, [name])
        for path, field in ((f"{name}/status", "Status"), (name, "ConsignmentState")):
            async with http.get(f"/consignments/{path}") as answer:
                assert (answer.status, (await answer.json())[field]) == (200, "Allocated")
                headers = answer.headers
            date = parsedate_to_datetime(headers["Date"]).timestamp()
            assert ("Age" in headers, "Last-Modified" in headers) == (kind == "stale-age", kind == "stale-modified")
            assert headers.get("Age", "300") == "300"
            assert (time() - date > 299) == (kind == "stale-date")
            if kind == "stale-modified":
                assert time() - parsedate_to_datetime(headers["Last-Modified"]).timestamp() > 299
        server.change(stale_s=1)
        await asyncio.sleep(1)  # it is time itself that makes the remembered state a newer one
        async with http.get(f"/consignments/{name}/status") as answer:
            assert (await answer.json())["Status"] == "Cancelled"


async def test_the_options_are_changed_over_http_and_a_wrong_one_is_named():
    async with platform() as (server, http):
        wanted = {"refusal_words": "code", "strict": True, "at": {server.reference(0): {"503-late": 2}}}
        async with http.put("/sandbox/settings", json=wanted) as answer:
            shown = await answer.json()
        assert {name: shown[name] for name in wanted} == wanted
        for wrong in ({"refusal_words": "rude"}, {"at": {"EC-1": {"nonsense": 1}}}, {"at": {"EC-1": {"slow": 0}}}):
            async with http.put("/sandbox/settings", json=wrong) as answer:
                assert answer.status == 400
                assert next(iter(wrong)) in (await answer.json())["error"]
