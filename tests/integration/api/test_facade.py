"""A client of the platform that changes its base URL and its key: what it is answered, call by call.

The same requests go to the platform itself, as strict as its guide, and to the facade. Both have a world of their own
of the same consignments, in the same states. What differs on purpose stands in `ON_PURPOSE`, and nothing else does.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from cancellist.jobs.access import Access
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, serving
from tests.support.stage import Platform, platform
from tests.support.waiting import soon

KEY = "ocp-apim-subscription-key"
LIST = "/consignments/cancellist"
JSON = {"content-type": "application/json"}


@dataclass
class Call:
    """A request, with the states of its references: `open`, `Manifested`, `Cancelled` or `unknown`."""

    states: list[str] = field(default_factory=list)
    path: str = LIST
    body: bytes | None = None
    method: str = "PUT"
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    key: str | None = EVERY
    case: str = "upper"


ONE = "/consignments/{0}/cancel"
CALLS: dict[str, Call] = {
    "a list of every state": Call(["open", "Manifested", "unknown", "open", "Cancelled", "open"]),
    "a list of one": Call(["open"]),
    "another case of the path": Call(["open"], path="/Consignments/CancelList"),
    "a slash behind the path": Call(["open"], path=f"{LIST}/"),
    "a type with a charset": Call(["open"], headers={"content-type": "application/json; charset=utf-8"}),
    "references in small letters": Call(["open", "open"], case="lower"),
    "a malformed reference": Call(["open", "EC-1"]),
    "nothing but malformed": Call(["EC-1", "EC-2"]),
    "one, open": Call(["open"], path=ONE),
    "one, in another case": Call(["open"], path="/Consignments/{0}/Cancel", case="lower"),
    "one, manifested": Call(["Manifested"], path=ONE),
    "one, unknown": Call(["unknown"], path=ONE),
    "one, cancelled before": Call(["Cancelled"], path=ONE),
    "one, malformed": Call(["EC-1"], path=ONE),
    "one, without a type": Call(["open"], path=ONE, headers={}),
    "one, of a wrong type": Call(["open"], path=ONE, headers={"content-type": "text/plain"}),
    "one, with xml for a type": Call(["open"], path=ONE, headers={"content-type": "application/xml"}),
    "a duplicate": Call(["open", "same"]),
    "an empty list": Call(body=b"[]"),
    "no body": Call(body=b""),
    "no json": Call(body=b"EC-000-05D-1NS"),
    "json that is cut": Call(body=b'["EC-000-05D-1NS"'),
    "an object": Call(body=b'{"references": ["EC-000-05D-1NS"]}'),
    "a text": Call(body=b'"EC-000-05D-1NS"'),
    "numbers": Call(body=b"[1, 2]"),
    "nulls": Call(body=b"[null]"),
    "lists in the list": Call(body=b'[["EC-000-05D-1NS"]]'),
    "an empty reference": Call(body=b'[""]'),
    "another type": Call(["open"], headers={"content-type": "text/plain"}),
    "no type": Call(["open"], headers={}),
    "no key": Call(["open"], key=None),
    "a wrong key": Call(["open"], key="wrong"),
    "one, with a wrong key": Call(["open"], path=ONE, key="wrong"),
    "another method": Call(method="POST", body=b"[]"),
    "another path": Call(path="/consignments/a/b/c", body=b"[]"),
}

ALREADY = "its state was as wanted, so it is a success; the platform answers a refusal"
CASE = "references are told as they were asked"
PATTERN = "what is no reference by the pattern is not sent"
LENIENT = "a call without a body needs no type"
WORDS = "the words are ours"
NAMED = "the reference at fault is named"
ON_PURPOSE = {
    ("a list of every state", "[4].IsSuccess"): ALREADY,
    ("a list of every state", "[4].Message"): ALREADY,
    ("references in small letters", "[0].Data"): CASE,
    ("references in small letters", "[1].Data"): CASE,
    ("a malformed reference", "[1].Message"): PATTERN,
    ("nothing but malformed", "[0].Message"): PATTERN,
    ("nothing but malformed", "[1].Message"): PATTERN,
    ("one, malformed", ".Message"): PATTERN,
    ("one, malformed", ".Details[0].Message"): PATTERN,
    ("one, manifested", ".Details[0].Code"): WORDS,
    ("one, cancelled before", "status"): ALREADY,
    ("one, cancelled before", "type"): ALREADY,
    ("one, cancelled before", "body"): ALREADY,
    ("one, without a type", "status"): LENIENT,
    ("one, without a type", "type"): LENIENT,
    ("one, without a type", "body"): LENIENT,
    ("a duplicate", ".Details"): NAMED,
    ("another type", ".Message"): "XML is not taken",
    ("no type", ".Message"): "XML is not taken",
    ("no key", ".message"): WORDS,
    ("a wrong key", ".message"): WORDS,
    ("one, with a wrong key", ".message"): WORDS,
}


OF_A_SERVER = {"date", "server"}
"""What says which software answers, and when."""
SAFE = {"x-content-type-options", "referrer-policy", "cache-control", "content-security-policy", "x-frame-options"}
ADDED = SAFE | {"location", "cancellist-outcomes", "x-request-id"}
ADDED_BY_STATUS = {401: {"www-authenticate"}, 405: {"allow"}}
"""What is told in addition, which clients of the platform pass over."""


@pytest.fixture(scope="module")
def itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform that answers by itself."""
    with platform(tmp_path_factory.mktemp("itself"), consignments=60_000) as one:
        one.send("PUT", "/sandbox/settings", {"strict": True, "api_key": EVERY})
        yield one


def references(api: Api, call: Call) -> list[str]:
    found: list[str] = []
    for state in call.states:
        if state == "same":
            found.append(found[0].lower())
        elif state == "unknown":
            found.append(api.desk.platform.references(0, unknown=1)[0])
        else:
            found.append(state if state.startswith("EC-") else api.desk.fresh(1, state)[0])
    return [one.lower() for one in found] if call.case == "lower" else found


FOR_DEFAULT = "/accounts/default"


def send(url: str, call: Call, named: list[str], **more: str) -> httpx.Response:
    headers = {"accept": "application/json", "electio-api-version": "1.1", **call.headers, **more}
    body = call.body
    if body is None:
        body = json.dumps(named).encode() if call.path.lower().strip("/") == LIST.strip("/") else b""
    own = {KEY: call.key} if call.key else {}
    return httpx.request(
        call.method, url + call.path.format(*named), content=body, headers=headers | own, timeout=WITHIN_S,
        trust_env=False,
    )  # fmt: skip


def told(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None


def differences(one: Any, other: Any, at: str = "") -> set[str]:
    """Where two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        inner = [differences(one[name], other[name], f"{at}.{name}") for name in one if name != "CorrelationId"]
        return set().union(*inner)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return set().union(*(differences(a, b, f"{at}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True))))
    return set() if one == other else {at or "body"}


def headers_that_differ(theirs: httpx.Response, ours: httpx.Response) -> set[str]:
    """The headers of the platform that ours lacks or says otherwise, and those that it has beyond what is added.

    The type is compared apart; the length goes by the body, and must be told by both.
    """
    for answer in (theirs, ours):
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert len(answer.headers.multi_items()) == len(answer.headers), "none comes twice"
    compared = {"content-type", "content-length"} | OF_A_SERVER
    missing = {
        name for name, value in theirs.headers.items() if name not in compared and ours.headers.get(name) != value
    }
    known = ADDED | ADDED_BY_STATUS.get(ours.status_code, set()) | compared | set(theirs.headers)
    return missing | (ours.headers.keys() - known)


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_answered_as_the_platform_does_but_for_what_is_on_purpose(
    api: Api, itself: Platform, name: str
) -> None:
    call = CALLS[name]
    named = references(api, call)
    theirs, ours = send(itself.url, call, named), send(api.url, call, named)
    found = differences(told(theirs), told(ours))
    if theirs.status_code != ours.status_code:
        found.add("status")
    if theirs.headers.get("content-type") != ours.headers.get("content-type"):
        found.add("type")
    found |= headers_that_differ(theirs, ours)
    assert found == {where for call_, where in ON_PURPOSE if call_ == name}, (theirs.text, ours.text)
    if isinstance(told(ours), dict) and "CorrelationId" in told(ours):
        assert told(ours)["CorrelationId"] == ours.headers["x-request-id"]
        assert len(told(ours)["CorrelationId"]) == len(told(theirs)["CorrelationId"])


@pytest.mark.parametrize("name", CALLS)
def test_a_base_url_with_an_account_is_answered_as_the_one_without(api: Api, name: str) -> None:
    call = CALLS[name]
    plain, named = (send(api.url + base, call, references(api, call)) for base in ("", FOR_DEFAULT))
    assert (named.status_code, shape(named)) == (plain.status_code, shape(plain))


def shape(answer: httpx.Response) -> Any:
    """An answer without the references and the id, which differ from call to call."""
    whole = told(answer)
    if isinstance(whole, list):
        return [(list(row), row["IsSuccess"]) for row in whole]
    return (list(whole), whole.get("Code"), whole.get("statusCode")) if whole else None


def test_the_base_url_names_the_account_of_a_job(api: Api, tmp_path: Path) -> None:
    own = {"accounts__second__api_url": api.desk.platform.url}
    with serving(api.desk, log=tmp_path / "log", **own) as two:
        base, asked = f"{two.url}/Accounts/second", api.desk.fresh(2)
        now = {"prefer": "wait=0"}
        answers = [
            send(base, Call(), asked, **now),
            send(base, Call(path=ONE), asked, **now),
        ]
        for answer in answers:
            assert (answer.status_code, told(answer)["Code"]) == (202, "cancellation_goes_on"), answer.text
            job = two.client().get(answer.headers["location"]).json()
            assert (job["account"], job["requested_by"]) == ("second", "every")
        none = send(f"{two.url}/accounts/third", Call(), asked)
        assert (none.status_code, told(none)["Code"]) == (404, "account_not_found")
        assert send(f"{two.url}/accounts/third", Call(key=None), asked).status_code == 401


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if "open" in call.states])
def test_what_is_said_to_be_cancelled_is_and_what_was_refused_is_not(api: Api, name: str) -> None:
    call = CALLS[name]
    named = references(api, call)
    answer = send(api.url, call, named)
    done = {row["Data"] for row in told(answer) if row["IsSuccess"]} if isinstance(told(answer), list) else set()
    if answer.status_code == 200 and not answer.content:
        done = set(named)
    for state, one in zip(call.states, named, strict=True):
        if state == "open":
            stands = api.desk.record([one.upper()])[one.upper()]["state"]
            assert (stands == "Cancelled") == (one in done), (one, answer.text)


def test_a_list_of_any_length_is_answered_in_the_order_it_was_asked_in(api: Api, client: httpx.Client) -> None:
    some = [*api.desk.fresh(4990), *api.desk.fresh(5, "Manifested"), *api.desk.fresh(4, "Cancelled"), "EC-1"]
    asked = sorted(some, key=lambda one: one[::-1])
    answer = client.put(LIST, json=asked)
    assert answer.status_code == 200, answer.text
    assert [row["Data"] for row in answer.json()] == asked
    refused = [row["Data"] for row in answer.json() if not row["IsSuccess"]]
    assert sorted(refused) == sorted([*some[4990:4995], "EC-1"])
    assert answer.headers["cancellist-outcomes"] == "cancelled=4990, already_cancelled=4, manifested=5, invalid=1"
    assert api.ended(client, answer.headers["location"].rpartition("/")[2])["total"] == 5000
    assert {row["state"] for row in api.desk.record(some[:4990]).values()} == {"Cancelled"}


def test_the_same_key_is_one_job_and_without_one_a_repeat_is_another(api: Api, client: httpx.Client) -> None:
    asked = api.desk.fresh(3)
    first, same = (client.put(LIST, json=asked, headers={"Idempotency-Key": "facade-1"}) for _ in range(2))
    assert (same.json(), same.headers["location"]) == (first.json(), first.headers["location"])
    assert same.headers["idempotent-replayed"] == "true"
    again = client.put(LIST, json=asked)
    assert (again.json(), again.headers["cancellist-outcomes"]) == (first.json(), "already_cancelled=3")
    assert again.headers["location"] != first.headers["location"]
    other = client.put(LIST, json=asked[:2], headers={"Idempotency-Key": "facade-1"})
    assert (other.status_code, other.json()["Code"]) == (422, "idempotency_conflict")


@pytest.fixture
def paused(api: Api, client: httpx.Client) -> Iterator[None]:
    client.post("/v1/accounts/default/pause").raise_for_status()
    yield
    client.post("/v1/accounts/default/resume").raise_for_status()


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize("path", [LIST, ONE])
def test_past_the_limit_it_goes_on_and_its_address_is_told(api: Api, client: httpx.Client, path: str) -> None:
    asked = api.desk.fresh(1)
    body = {"json": asked} if path == LIST else {}
    answer = client.put(path.format(*asked), headers={"Prefer": "wait=1"}, **body)
    assert (answer.status_code, answer.json()["Code"]) == (202, "cancellation_goes_on"), answer.text
    assert answer.headers["preference-applied"] == "wait=1"
    job = answer.headers["location"].rpartition("/")[2]
    assert job in answer.json()["Message"]
    client.post("/v1/accounts/default/resume").raise_for_status()
    assert api.ended(client, job)["outcomes"] == {"cancelled": 1}


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize("path", [LIST, ONE])
def test_what_was_aborted_looks_neither_done_nor_refused(api: Api, client: httpx.Client, path: str) -> None:
    asked = api.desk.fresh(1)
    body = {"json": asked} if path == LIST else {}
    key = {"Idempotency-Key": f"aborted {path}"}
    job = client.put(path.format(*asked), headers={"Prefer": "wait=0", **key}, **body).headers["location"]
    client.post(f"{job}/abort").raise_for_status()
    answer = client.put(path.format(*asked), headers=key, **body)
    assert answer.headers["cancellist-outcomes"] == "aborted=1"
    if path == LIST:
        (item,) = answer.json()
        assert (answer.status_code, item["IsSuccess"], "not refused" in item["Message"]) == (200, False, True)
    else:
        assert (answer.status_code, answer.json()["Code"]) == (504, "cancellation_aborted")


@pytest.mark.usefixtures("paused")
def test_a_client_that_leaves_does_not_stop_its_job(api: Api, client: httpx.Client) -> None:
    asked = api.desk.fresh(2)
    url, body = httpx.URL(api.url), json.dumps(asked)
    head = f"PUT {LIST} HTTP/1.1\r\nHost: x\r\n{KEY}: {EVERY}\r\nX-Request-ID: leaves\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        text = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        connection.sendall(text.encode())
        job = until(
            lambda: next(
                iter(client.get("/v1/jobs", params={"state": "paused,queued", "account": "default"}).json()["jobs"]),
                None,
            )
        )
    line = until(lambda: next((one for one in api.log.read_text().splitlines() if '"leaves"' in one), None))
    assert json.loads(line)["status"] == 499
    client.post("/v1/accounts/default/resume").raise_for_status()
    assert api.ended(client, job["job"])["outcomes"] == {"cancelled": 2}
    assert {row["state"] for row in api.desk.record(asked).values()} == {"Cancelled"}


def until(look: Any) -> Any:
    """What is seen once there is something."""
    return soon(look, within_s=WITHIN_S)


def test_who_may_not_submit_is_told_in_the_platforms_form(api: Api) -> None:
    answer = send(api.url, Call(["open"], key=OF_ROLE[Access.READ]), api.desk.fresh(1))
    assert (answer.status_code, answer.json()["Code"]) == (403, "forbidden")
    assert list(answer.json()) == ["Code", "Message", "CorrelationId", "Details"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"accept": "application/xml"}, 406),
        ({"content-type": "text/xml"}, 415),
        ({"content-encoding": "br"}, 415),
        ({"idempotency-key": "x" * 501}, 400),
        ({"accept": "text/xml;q=0.5, */*;q=0.1"}, 200),
    ],
)
def test_what_it_does_not_speak_is_refused_before_anything_is_handed_in(
    api: Api, client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    asked = api.desk.fresh(1)
    before = {job["job"] for job in client.get("/v1/jobs").json()["jobs"]}
    answer = send(api.url, Call(["open"]), asked, **headers)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert list(answer.json()) == ["Code", "Message", "CorrelationId", "Details"]
        assert {job["job"] for job in client.get("/v1/jobs").json()["jobs"]} == before
        assert api.desk.record(asked)[asked[0]]["state"] != "Cancelled"
