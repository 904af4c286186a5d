"""Every route asks every caller for its role, and nothing happens without it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from cancellist.jobs.access import Access
from tests.support.api import EVERY, OF_ROLE, WITHIN_S, Api, problem, serving

ROLES = {
    "GET /": None,
    "GET /docs": None,
    "GET /healthz": None,
    "GET /openapi.json": None,
    "GET /problems/{code}": None,
    "GET /readyz": None,
    "GET /sign-in": None,
    "POST /sign-in": None,
    "POST /sign-out": None,
    "GET /static/{file}": None,
    "GET /v1/accounts": "read",
    "GET /v1/stop": "read",
    "POST /v1/stop": "operate",
    "DELETE /v1/stop": "operate",
    "GET /v1/consumers": "read",
    "DELETE /v1/consumers/{group}": "operate",
    "GET /v1/references/{reference}": "read",
    "GET /v1/events": "read",
    "GET /v1/jobs": "read",
    "GET /v1/jobs/{job}": "read",
    "GET /v1/audit": "read",
    "GET /v1/jobs/{job}/events": "read",
    "GET /v1/jobs/{job}/receipt": "read",
    "GET /v1/jobs/{job}/results": "read",
    "GET /v1/webhooks": "read",
    "GET /v1/webhooks/{webhook}": "read",
    "GET /v1/webhooks/{webhook}/deliveries": "read",
    "DELETE /v1/webhooks/{webhook}": "operate",
    "POST /v1/webhooks": "operate",
    "POST /v1/webhooks/{webhook}/enable": "operate",
    "POST /v1/webhooks/{webhook}/replay": "operate",
    "POST /v1/webhooks/{webhook}/rotate": "operate",
    "POST /v1/webhooks/{webhook}/test": "operate",
    "POST /v1/accounts/{account}/pause": "operate",
    "POST /v1/accounts/{account}/resume": "operate",
    "POST /v1/jobs": "submit",
    "POST /v1/plans": "submit",
    "GET /v1/plans/{plan}": "submit",
    "POST /v1/jobs/{job}/abort": "operate",
    "GET /v1/jobs/{job}/approval": "approve",
    "POST /v1/jobs/{job}/approve": "approve",
    "DELETE /v1/jobs/{job}/approve": "approve",
    "POST /v1/jobs/{job}/reject": "approve",
    "POST /v1/jobs/{job}/continue": "operate",
    "POST /v1/jobs/{job}/pause": "operate",
    "POST /v1/jobs/{job}/resume": "operate",
    "POST /v1/jobs/{job}/retry": "operate",
    "PATCH /v1/jobs/{job}": "operate",
    "PUT /consignments/cancellist": "submit",
    "PUT /consignments/{reference}/cancel": "submit",
    "PUT /accounts/{account}/consignments/cancellist": "submit",
    "PUT /accounts/{account}/consignments/{reference}/cancel": "submit",
}
"""What each route needs; None: nothing."""
WEBHOOK = "POST /v1/webhooks"
BODIES = {
    "POST /v1/jobs/{job}/approve": {"count": 2, "digest": ""},
    "POST /v1/jobs/{job}/reject": {"reason": "no"},
}

GROUP = "billing"


@pytest.fixture(scope="module")
def held(api: Api) -> str:
    """A job that has not begun."""
    client = api.client()
    return str(client.post("/v1/jobs", json=api.desk.fresh(2), params={"start_at": "+9h"}).json()["job"])


def state(api: Api) -> object:
    """All that a request may change."""
    client = api.client()
    jobs = client.get("/v1/jobs", params={"limit": 500}).json()
    accounts = client.get("/v1/accounts").json()["accounts"]
    webhooks = [(w["webhook"], w["state"], w["secret_version"]) for w in client.get("/v1/webhooks").json()["webhooks"]]
    states = [(one["account"], one["state"], one["paused"]) for one in accounts]
    return [(job["job"], job["state"], job["priority"]) for job in jobs["jobs"]], states, webhooks


def of_the_facade(route: str) -> bool:
    return "/consignments/" in route


def ask(
    client: httpx.Client, route: str, job: str, webhook: str = "wh_0000000000", plan: str = "pl_"
) -> httpx.Response:
    method, _, path = route.partition(" ")
    if of_the_facade(route):
        return client.put(
            path.format(reference="EC-000-05D-1NS", account="default"),
            headers={"Content-Type": "application/json", "Prefer": "wait=0"},
            content=b'["EC-000-05D-1NS"]',
        )  # fmt: skip
    if path.endswith("/events"):  # it goes on while somebody listens
        with client.stream(method, path.format(job=job)) as answer:
            if answer.is_error:
                answer.read()
            return answer
    if method == "PATCH":
        return client.patch(path.format(job=job), json={"priority": "urgent"})
    if route == WEBHOOK:
        return client.post(path, json={"url": "http://127.0.0.1:9/"})
    if route in BODIES:
        return client.post(path.format(job=job), json=BODIES[route])
    if route in {"POST /sign-in", "POST /sign-out"}:
        return client.post(path, data={"token": EVERY}, headers={"Sec-Fetch-Site": "same-origin"})
    body = b"EC-000-05D-1NS" if route in {"POST /v1/jobs", "POST /v1/plans"} else None
    named = {"job": job, "account": "default", "code": "input", "reference": "EC-000-05D-1NS", "group": GROUP,
             "file": "icon.svg", "webhook": webhook, "plan": plan}  # fmt: skip
    return client.request(
        method, path.format(**named), content=body,
        headers={"Content-Type": "text/plain"} if body else {}, params={"start_at": "+9h"} if body else {},
    )  # fmt: skip


def test_the_description_has_these_routes_and_the_role_of_each(api: Api) -> None:
    paths = api.client(None).get("/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path}": operation.get("x-role")
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    heads = {route.replace("GET", "HEAD"): role for route, role in ROLES.items() if route.startswith("GET ")}
    assert described == ROLES | heads
    for path, methods in paths.items():
        for method, operation in methods.items():
            guarded = described[f"{method.upper()} {path}"] is not None
            assert ("security" in operation) == guarded
            assert ({"401", "403"} <= set(operation["responses"])) == guarded


@pytest.mark.parametrize("route", [route for route, role in ROLES.items() if role])
def test_without_its_role_a_route_does_nothing(api: Api, held: str, route: str) -> None:
    before = state(api)
    others = [one for role, one in OF_ROLE.items() if role != ROLES[route]]
    for token in (None, "wrong", EVERY[:-1], f"{EVERY}x", *others):
        answer = ask(api.client(token), route, held)
        code = "forbidden" if token in OF_ROLE.values() else "unauthorized"
        if of_the_facade(route):
            assert answer.status_code == (403 if code == "forbidden" else 401)
            said = answer.json().get("Message")
        else:
            said = problem(answer, code)["detail"]
        if code == "unauthorized":
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert str(ROLES[route]) in said
    assert state(api) == before


@pytest.mark.parametrize("route", sorted(ROLES))
def test_with_its_role_alone_a_route_answers(api: Api, held: str, route: str) -> None:
    role = ROLES[route]
    webhook = api.client().post("/v1/webhooks", json={"url": "http://127.0.0.1:9/"}).json()["webhook"]
    with Redis.from_url(api.desk.url) as redis:
        redis.xgroup_create("cancellist:results", GROUP, mkstream=True)
    plan = api.client().post("/v1/plans", json=["EC-000-05D-1NS"]).json()["plan"] if "{plan}" in route else ""
    answer = ask(api.client(OF_ROLE[Access(role)] if role else None), route, held, webhook, plan)
    assert answer.status_code < 400 or answer.status_code == 409, answer.text
    api.client().delete("/v1/stop").raise_for_status()
    api.client().post("/v1/accounts/default/resume").raise_for_status()
    api.client().delete(f"/v1/consumers/{GROUP}")
    if of_the_facade(route):
        api.ended(api.client(), answer.headers["location"].rpartition("/")[2])


def test_the_key_of_the_platform_is_no_token_here(api: Api) -> None:
    answer = api.client(None).get("/v1/jobs", headers={"ocp-apim-subscription-key": EVERY})
    problem(answer, "unauthorized")


def test_two_tokens_are_none(api: Api) -> None:
    headers = [("Authorization", f"Bearer {EVERY}"), ("Authorization", f"Bearer {EVERY}")]
    problem(httpx.get(f"{api.url}/v1/jobs", headers=headers, trust_env=False), "unauthorized")
    for odd in ("", "Bearer", f"Basic {EVERY}", EVERY, f"Bearer {EVERY} {EVERY}"):
        problem(httpx.get(f"{api.url}/v1/jobs", headers={"Authorization": odd}, trust_env=False), "unauthorized")


@pytest.fixture(scope="module")
def behind(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process that takes the user's name from a proxy on this machine, under a path."""
    log = tmp_path_factory.mktemp("behind") / "log"
    given = {"serve_user_header": "X-User", "serve_user_roles": "alice:read+operate,*:read", "serve_prefix": "/c",
             "serve_trusted_proxies": "127.0.0.1"}  # fmt: skip
    with serving(api.desk, log=log, **given) as running:
        yield running


def test_a_trusted_proxy_names_the_user(behind: Api, held: str) -> None:
    anybody = behind.client(None)
    assert anybody.get("/v1/jobs", headers={"X-User": "bob"}).status_code == 200
    problem(anybody.post(f"/v1/jobs/{held}/pause", headers={"X-User": "bob"}), "forbidden")
    assert anybody.get("/v1/jobs", headers={"X-User": "alice"}).status_code == 200
    problem(anybody.get("/v1/jobs"), "unauthorized")
    problem(anybody.get("/v1/jobs", headers={"X-User": "*"}), "unauthorized")
    two = [("X-User", "alice"), ("X-User", "alice")]
    problem(httpx.get(f"{behind.url}/v1/jobs", headers=two, trust_env=False), "unauthorized")
    problem(anybody.get("/v1/jobs", headers={"X-User": "alice", "Authorization": "Bearer wrong"}), "unauthorized")


def test_what_another_site_has_a_browser_send_counts_for_nobody_that_a_proxy_names(behind: Api) -> None:
    """A proxy may know its user by a cookie, which a browser adds to what any site has it send."""
    job = behind.client().post("/v1/jobs", json=behind.desk.fresh(1), params={"start_at": "+9h"}).json()["job"]
    anybody, path, user = behind.client(None), f"/v1/jobs/{job}/pause", {"X-User": "alice"}
    for forged in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://elsewhere"}):
        assert "another site" in problem(anybody.post(path, headers=user | forged), "unauthorized")["detail"]
        assert anybody.get("/v1/jobs", headers=user | forged).status_code == 200, "a link may lead here"
        token = {"Authorization": f"Bearer {EVERY}"}
        assert anybody.post(path, headers=token | forged).status_code == 200, "no browser adds that by itself"
    for own in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": behind.url.removesuffix("/c")}):
        assert anybody.post(path, headers=user | own).status_code == 200


def test_from_elsewhere_the_header_of_a_proxy_means_nothing(api: Api, tmp_path: Path) -> None:
    given = {"serve_user_header": "X-User", "serve_user_roles": "*:read", "serve_trusted_proxies": "10.9.8.0/24"}
    with serving(api.desk, log=tmp_path / "log", **given) as running:
        problem(running.client(None).get("/v1/jobs", headers={"X-User": "alice"}), "unauthorized")


def test_behind_a_path_addresses_have_it_whether_the_proxy_takes_it_off_or_not(behind: Api) -> None:
    client = behind.client()
    assert behind.url.endswith("/c")
    made = client.post("/v1/jobs", json=behind.desk.fresh(1), params={"start_at": "+9h"})
    assert made.headers["location"] == f"/c/v1/jobs/{made.json()['job']}"
    bare = behind.url.removesuffix("/c")
    for path in ("/v1/jobs", "/c/v1/jobs"):
        answer = httpx.get(f"{bare}{path}", headers={"Authorization": f"Bearer {EVERY}"}, trust_env=False)
        assert answer.status_code == 200
    assert client.get("/openapi.json").json()["servers"] == [{"url": "/c"}]
    assert behind.client(None).get("/").headers["location"] == "/c/sign-in"


def test_the_log_has_who_called_from_where_and_no_secret(behind: Api) -> None:
    client = behind.client(None)
    client.get("/v1/jobs?requested_by=pa55word", headers={"X-User": "carol", "X-Request-ID": "abc.1",
               "Forwarded": 'for=192.0.2.7;proto=https, for="[2001:db8::1]:47", for=127.0.0.1'})  # fmt: skip
    client.get("/v1/jobs?token=pa55word", headers={"Authorization": "Bearer pa55word", "X-Request-ID": "no\tid"})
    spoofed = {"Authorization": f"Bearer {EVERY}", "X-Forwarded-For": "spoofed, 192.0.2.9", "X-Request-ID": "abc.2"}
    client.get("/v1/jobs", headers=spoofed)
    deadline = time.monotonic() + WITHIN_S
    while "abc.2" not in (log := behind.log.read_text()):
        assert time.monotonic() < deadline, log
    lines = {line["request_id"]: line for line in map(json.loads, log.splitlines()) if "request_id" in line}
    mine = lines["abc.1"]
    assert (mine["caller"], mine["client"], mine["path"], mine["status"]) == ("carol", "2001:db8::1", "/c/v1/jobs", 200)
    assert lines["abc.2"]["client"] == "192.0.2.9"
    for secret in ("pa55word", EVERY, *OF_ROLE.values()):
        assert secret not in log
