"""Faults over real HTTP: what the caller sees, and whether the platform acted.

Answers of another form are in test_forms.py, and odd bytes in test_odd_bytes.py.
"""

import asyncio
from contextlib import suppress

import aiohttp
import orjson
import pytest

from cancellist.sandbox.faults.kinds import APPLIES, FORMS, WIRES, Acts, FaultKind, Scope, acts
from tests.support.local_platform import acted, platform, until

NAMES = 10
STATUSES = sorted(kind for kind in FaultKind if kind[:3].isdigit())
DENIED = {FaultKind.UNAUTHORIZED, FaultKind.FORBIDDEN}
BROKEN = {FaultKind.REDIRECT, FaultKind.TRUNCATED, FaultKind.BROKEN_GZIP}
BODIES = sorted(
    kind
    for kind in APPLIES[Scope.LIST] - BROKEN - set(STATUSES) - FORMS - WIRES
    if not kind.startswith(("timeout", "close", "half-acted", "maintenance"))
)


def cancel(server, http, scope, **options):
    if scope is Scope.LIST:
        return http.put("/consignments/cancellist", json=server.references(NAMES), **options)
    return http.put(f"/consignments/{server.reference(0)}/cancel", **options)


@pytest.mark.parametrize("scope", [Scope.LIST, Scope.SINGLE])
@pytest.mark.parametrize("kind", STATUSES)
async def test_an_error_status_comes_before_or_after_acting(scope, kind):
    async with (
        platform(f"{scope}:{kind}", retry_after_s=3, late_ms=30) as (server, http),
        cancel(server, http, scope) as answer,
    ):
        assert answer.status == int(kind[:3])
        assert ("Retry-After" in answer.headers) == (answer.status in {429, 503})
        await answer.read()
        done = NAMES if scope is Scope.LIST else 1
        assert acted(server, NAMES) == (done if kind.endswith("-after") or answer.status < 300 else 0)
        assert server.stats()["faults"] == {kind: 1}
        await until(lambda: acted(server, NAMES) == (0 if kind.endswith("-before") or kind in DENIED else done))


@pytest.mark.parametrize("scope", [Scope.LIST, Scope.SINGLE])
@pytest.mark.parametrize("kind", [FaultKind.CLOSE_BEFORE, FaultKind.CLOSE_AFTER])
@pytest.mark.parametrize("seed", range(4))
async def test_a_closed_connection_says_nothing(scope, kind, seed):
    async with platform(f"{scope}:{kind}", seed=seed) as (server, http):
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await cancel(server, http, scope)
        done = NAMES if scope is Scope.LIST else 1
        assert acted(server, NAMES) == (done if kind is FaultKind.CLOSE_AFTER else 0)
        await until(lambda: server.stats()["answers"] == {"none": 1})


@pytest.mark.parametrize("scope", [Scope.LIST, Scope.SINGLE])
@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER])
async def test_a_call_that_hangs_counts_as_in_flight_until_its_caller_goes(scope, kind):
    async with platform(f"{scope}:{kind}") as (server, http):
        hanging = asyncio.ensure_future(cancel(server, http, scope))
        await until(lambda: server.stats()["in_flight"] == 1)
        done = NAMES if scope is Scope.LIST else 1
        await until(lambda: acted(server, NAMES) == (done if kind is FaultKind.TIMEOUT_AFTER else 0))
        hanging.cancel()
        await until(lambda: server.stats()["in_flight"] == 0)
        assert server.stats()["answers"] == {"none": 1}


async def test_a_late_call_acts_after_its_caller_has_gone():
    async with platform("timeout-late", late_ms=60) as (server, http):
        with pytest.raises(TimeoutError):
            await cancel(server, http, Scope.LIST, timeout=aiohttp.ClientTimeout(total=0.02))
        await until(lambda: acted(server, NAMES) == NAMES)


async def test_a_hanging_call_is_closed_in_the_end():
    async with platform("timeout-before", hang_ms=10) as (server, http):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await cancel(server, http, Scope.LIST)


async def test_a_sandbox_stops_at_once_though_calls_hang_and_others_wait():
    loop = asyncio.get_running_loop()
    async with platform("list:timeout-before") as (server, http):
        hanging = asyncio.ensure_future(cancel(server, http, Scope.LIST))
        await until(lambda: server.stats()["in_flight"] == 1)
        await (await cancel(server, http, Scope.SINGLE)).read()
        stopping = loop.time()
        hanging.add_done_callback(lambda _: None)
    assert loop.time() - stopping < 5
    assert isinstance(await asyncio.gather(hanging, return_exceptions=True), list)


@pytest.mark.parametrize("kind", [FaultKind.HALF_ACTED_500, FaultKind.HALF_ACTED_CLOSE])
async def test_half_of_a_list_is_acted_on_and_then_it_fails(kind):
    async with platform(kind) as (server, http):
        if kind is FaultKind.HALF_ACTED_500:
            assert (await cancel(server, http, Scope.LIST)).status == 500
        else:
            with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
                await cancel(server, http, Scope.LIST)
        assert acted(server, NAMES) == NAMES // 2


@pytest.mark.parametrize("scope", [Scope.LIST, Scope.SINGLE])
@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.BROKEN_GZIP])
async def test_a_body_that_breaks_off_or_cannot_be_unpacked_was_acted_on(scope, kind):
    async with platform(f"{scope}:{kind}") as (server, http):
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await (await cancel(server, http, scope)).read()
        assert server.stats()["answers"] == {"200": 1}
        assert acted(server, NAMES) == (NAMES if scope is Scope.LIST else 1)


@pytest.mark.parametrize("kind", BODIES)
async def test_a_list_that_was_cancelled_is_answered_with_200_whatever_the_body_says(kind):
    async with platform(f"list:{kind}", slow_ms=5) as (server, http), cancel(server, http, Scope.LIST) as answer:
        body = await answer.read()
        assert answer.status == 200
        assert acted(server, NAMES) == NAMES
        if kind not in {FaultKind.HTML, FaultKind.EMPTY, FaultKind.WRONG_ENCODING}:
            orjson.loads(body)


async def test_a_redirect_leads_to_a_login_page_and_nothing_was_acted_on():
    async with platform("redirect") as (server, http):
        async with cancel(server, http, Scope.LIST, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "/login")
        async with cancel(server, http, Scope.LIST) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        assert acted(server, NAMES) == 0


@pytest.mark.parametrize("kind", sorted(APPLIES[Scope.READS] - FORMS - WIRES))
async def test_every_fault_of_reads_hits_reads_and_leaves_cancels_alone(kind):
    async with platform(f"reads:{kind}", slow_ms=1, hang_ms=10) as (server, http):
        name = server.reference(0)
        assert (await cancel(server, http, Scope.SINGLE)).status == 200
        for path in (f"/consignments/{name}/status", f"/consignments/{name}"):
            try:
                async with http.get(path, allow_redirects=False) as answer:
                    read = answer.status, answer.content_type, await answer.read()
            except (aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
                read = (error,)
            told_truly = read[0] == 200 and b'"Cancelled"' in read[2] and f'"{name}"'.encode() in read[2]
            assert told_truly == (kind in {FaultKind.SLOW, FaultKind.STATE_SPACED})
        assert server.stats()["faults"] == {kind: 2}


@pytest.mark.parametrize("kind", sorted(APPLIES[Scope.SEARCH]))
@pytest.mark.parametrize("path", ["getConsignmentReferences", "5/0", "summary"])
async def test_every_fault_of_searches_hits_searches(kind, path):
    async with platform(f"search:{kind}", slow_ms=1, hang_ms=10) as (_, http):
        try:
            async with http.get(f"/consignments/{path}", allow_redirects=False) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            status, body = None, b""
        assert (status == 200 and body.startswith((b'["EC-', b'{"Count"', b'{"Number'))) == (kind is FaultKind.SLOW)


async def test_mixed_faults_come_in_the_same_order_for_the_same_seed():
    async def statuses():
        faults = {"500-before": 0.3, "single:429-after": 0.3, "list:html": 0.1}
        async with platform("slow", faults=faults, seed=9) as (server, http):
            answers = [await http.put(f"/consignments/{name}/cancel") for name in server.references(40)]
            return [answer.status for answer in answers], acted(server, NAMES)

    first = await statuses()
    assert first == await statuses()
    assert set(first[0]) == {200, 429, 500}


@pytest.mark.parametrize(
    ("scope", "kind"), [(scope, kind) for scope in (Scope.LIST, Scope.SINGLE) for kind in sorted(APPLIES[scope])]
)
async def test_the_record_says_what_was_done_whatever_the_answer_says(scope, kind):
    async with platform(f"{scope}:{kind}", slow_ms=1, hang_ms=10, late_ms=20) as (server, http):
        with suppress(aiohttp.ClientError):
            async with cancel(server, http, scope, allow_redirects=False) as answer:
                await answer.read()
        await until(lambda: server.stats()["in_flight"] == server.stats()["to_act_late"] == 0)
        named = NAMES if scope is Scope.LIST else 1
        assert acted(server, NAMES) == {Acts.NOTHING: 0, Acts.HALF: NAMES // 2}.get(acts(kind), named)
        rows = server.record(server.references(named))
        assert {row["cancelled_by_call"] for row in rows if row["state"] == "Cancelled"} <= {1}
        assert {row["cancel_calls"] for row in rows} == {1}
        assert server.stats()["faults"] == {kind: 1}
