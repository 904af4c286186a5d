"""Answers in another form over real HTTP: what the caller reads, and that the record says what happened."""

import json

import orjson
import pytest

from cancellist.sandbox.faults.kinds import APPLIES, FORMS, FaultKind, Scope
from tests.support.local_platform import acted, platform

NAMES = 5
NEW = {
    "Packages": [{"PackageSizeReference": "S"}],
    "Addresses": [{"AddressType": "Origin"}, {"AddressType": "Destination"}],
}
SUCCESS = "Consignment cancellation completed successfully"
RENAMED = {
    FaultKind.CAMEL_CASE: ["isSuccess", "message", "data", "apiLinks"],
    FaultKind.SNAKE_CASE: ["is_success", "message", "data", "api_links"],
    FaultKind.LOWER_CASE: ["issuccess", "message", "data", "apilinks"],
}
WRAPPED = {
    FaultKind.IN_DATA: "data",
    FaultKind.IN_RESULTS: "results",
    FaultKind.IN_VALUE: "value",
    FaultKind.IN_ITEMS: "Items",
}
BODYLESS = sorted(kind for kind in FaultKind if "-bodyless-" in kind)
PROBLEMS = sorted(kind for kind in FaultKind if "-problem-" in kind)
MAINTENANCE = sorted(kind for kind in FaultKind if kind.startswith("maintenance"))


async def listed(server, http):
    async with http.put("/consignments/cancellist", json=server.references(NAMES)) as answer:
        return answer.status, await answer.read()


async def call(server, http, scope):
    name = server.reference(0)
    calls = {
        Scope.LIST: ("PUT", "cancellist", server.references(NAMES)),
        Scope.SINGLE: ("PUT", f"{name}/cancel", None),
        Scope.DEALLOCATE: ("PUT", "deallocatelist", server.references(NAMES)),
        Scope.NOT_READY: ("PUT", "setnotreadytoship", server.references(NAMES)),
        Scope.READS: ("GET", f"{name}/status", None),
        Scope.SEARCH: ("GET", "getConsignmentReferences", None),
        Scope.CREATE: ("POST", "", NEW),
    }
    method, path, body = calls[scope]
    async with http.request(method, f"/consignments/{path}", json=body) as answer:
        return answer.status, answer.content_type, await answer.read()


@pytest.mark.parametrize("kind", RENAMED)
async def test_names_of_fields_are_written_otherwise_in_lists_reads_and_errors(kind):
    async with platform(f"list:{kind}") as (server, http):
        server.change(faults={f"{scope}:{kind}": 1.0 for scope in ("list", "single", "reads")})
        status, body = await listed(server, http)
        items = orjson.loads(body)
        assert (status, acted(server, NAMES)) == (200, NAMES)
        assert [list(item) for item in items] == [RENAMED[kind]] * NAMES
        assert [list(item.values())[:3] for item in items] == [
            [True, SUCCESS, name] for name in server.references(NAMES)
        ]
        status, _, body = await call(server, http, Scope.SINGLE)
        assert (status, "Message" in orjson.loads(body), "message" in orjson.loads(body)) == (400, False, True)
        _, _, body = await call(server, http, Scope.READS)
        assert orjson.loads(body)["status"] == "Cancelled"


@pytest.mark.parametrize(("kind", "name"), WRAPPED.items())
async def test_an_answer_stands_inside_an_envelope(kind, name):
    async with platform(f"list:{kind}") as (server, http):
        status, body = await listed(server, http)
        items = orjson.loads(body)[name]
        assert (status, acted(server, NAMES)) == (200, NAMES)
        assert [item["Data"] for item in items] == server.references(NAMES)
        server.change(faults={f"reads:{kind}": 1.0})
        _, _, body = await call(server, http, Scope.READS)
        assert orjson.loads(body)[name]["Status"] == "Cancelled"


async def test_an_answer_is_an_object_by_reference_a_string_or_has_a_mark_before_it():
    async with platform("list:by-reference") as (server, http):
        _, body = await listed(server, http)
        assert {name: item["IsSuccess"] for name, item in orjson.loads(body).items()} == dict.fromkeys(
            server.references(NAMES), True
        )
        server.change(faults={"list:in-string": 1.0})
        _, body = await listed(server, http)
        assert len(orjson.loads(orjson.loads(body))) == NAMES
        server.change(faults={"list:byte-order-mark": 1.0})
        _, body = await listed(server, http)
        assert body.startswith(b"\xef\xbb\xbf")
        assert len(json.loads(body.decode("utf-8-sig"))) == NAMES


@pytest.mark.parametrize("scope", [Scope.SINGLE, Scope.READS])
async def test_an_error_of_the_platform_has_another_code_and_details_or_none(scope):
    async with platform("slow", slow_ms=0, consignments=0) as (server, http):
        _, _, body = await call(server, http, scope)
        usual = orjson.loads(body)
        server.change(faults={f"{scope}:error-text": 1.0})
        status, _, body = await call(server, http, scope)
        told = orjson.loads(body)
        assert (status, set(told)) == (404, set(usual))
        assert (told["Code"], told["Details"]) == ("ConsignmentException", usual["Message"])
        server.change(faults={f"{scope}:error-short": 1.0})
        _, _, body = await call(server, http, scope)
        assert set(orjson.loads(body)) == {"Code", "Message", "CorrelationId"}


async def test_one_message_with_half_a_surrogate_makes_a_list_hard_to_read():
    async with platform("slow", slow_ms=0) as (server, http):
        odd = server.reference(2)
        server.change(at={odd: {"half-surrogate": None}})
        status, body = await listed(server, http)
        assert (status, acted(server, NAMES)) == (200, NAMES)
        assert body.count(rb"\ud800") == 1
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)
        assert [item["Data"] for item in json.loads(body) if item["Message"] != SUCCESS] == [odd]
        async with http.put(f"/consignments/{odd}/cancel") as answer:
            assert (answer.status, rb"\ud800" in await answer.read()) == (400, True)


async def test_one_message_with_bytes_that_are_no_utf8():
    async with platform("slow", slow_ms=0) as (server, http):
        odd = server.reference(2)
        server.change(at={odd: {"bad-utf8": None}})
        status, body = await listed(server, http)
        assert (status, acted(server, NAMES)) == (200, NAMES)
        with pytest.raises(UnicodeDecodeError):
            body.decode()
        items = json.loads(body.decode(errors="replace"))
        assert [item["Data"] for item in items if item["Message"] != SUCCESS] == [odd]


@pytest.mark.parametrize("kind", sorted(FORMS))
@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.SEARCH])
async def test_every_form_can_be_sent_wherever_it_applies(kind, scope):
    async with platform(f"{scope}:{kind}") as (server, http):
        assert kind in APPLIES[scope]
        status, _, _ = await call(server, http, scope)
        assert status == (201 if scope is Scope.CREATE else 200)
        assert server.stats()["faults"] == {kind: 1}
        status, _, _ = await call(server, http, scope)
        assert status == {Scope.SINGLE: 400, Scope.CREATE: 201}.get(scope, 200)


@pytest.mark.parametrize(
    ("scope", "kind"),
    [(scope, kind) for scope in Scope for kind in (*BODYLESS, *PROBLEMS, *MAINTENANCE) if kind in APPLIES[scope]],
)
async def test_one_route_alone_answers_in_no_form_of_the_platform(scope, kind):
    async with platform(f"{scope}:{kind}") as (server, http):
        status, content_type, body = await call(server, http, scope)
        assert status == (200 if kind in MAINTENANCE else int(kind[:3]))
        if kind in BODYLESS:
            assert body == b""
        elif kind in PROBLEMS:
            assert content_type == "application/problem+json"
            assert orjson.loads(body)["status"] == status
        elif "page" in kind:
            assert content_type == "text/html"
        else:
            assert orjson.loads(body)["status"] == "maintenance"
        acting = kind.endswith("-after") and scope in {Scope.LIST, Scope.SINGLE}
        assert acted(server, NAMES) == ((NAMES if scope is Scope.LIST else 1) if acting else 0)
        assert (await call(server, http, Scope.SEARCH if scope is Scope.READS else Scope.READS))[0] == 200
