"""Whatever form a body has, it becomes the job that `enqueue` makes of the same file, or nothing at all."""

import gzip
import json

import httpx
import pytest

from tests.support.api import Api, problem

CSV, JSON, NDJSON, TEXT = "text/csv", "application/json", "application/x-ndjson", "text/plain"


def forms(references: list[str]) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """The same references in every form: its type, the body, and the options that it needs."""
    rows = "".join(f"{n},{one}\n" for n, one in enumerate(references))
    objects = [{"order": n, "reference": one} for n, one in enumerate(references)]
    return {
        "array": (JSON, json.dumps(references).encode(), {}),
        "array of objects": (JSON, json.dumps(objects).encode(), {}),
        "csv": (CSV, f"order,consignment reference\n{rows}".encode(), {}),
        "csv by number": (CSV, rows.encode(), {"column": "2", "header": "false"}),
        "csv below a title": (CSV, f"a title\norder;ref;x\n{rows.replace(',', ';')}".encode(), {"skip_lines": "1"}),
        "one column of csv": (CSV, "\n".join(references).encode(), {}),
        "json lines": (NDJSON, "\n".join(map(json.dumps, objects)).encode(), {"column": "reference"}),
        "json lines of texts": (NDJSON, "\n".join(map(json.dumps, references)).encode(), {}),
        "lines": (TEXT, "\r\n".join(references).encode(), {}),
        "lines with a header": (TEXT, "\n".join(["reference", *references]).encode(), {}),
        "lines in utf-16": (f"{TEXT}; charset=utf-16", "\n".join(references).encode("utf-16"), {}),
    }


@pytest.mark.parametrize("form", sorted(forms(["EC-000-05D-1NS"])))
@pytest.mark.parametrize("packed", ["plain", "encoded", "file", "both"])
def test_a_body_of_every_form_plain_or_packed_becomes_the_same_job(
    api: Api, client: httpx.Client, form: str, packed: str
) -> None:
    references = [*api.desk.fresh(12), "EC-000-000-00"]
    kind, body, options = forms([*references, references[0]])[form]
    headers = {"Content-Type": kind}
    if packed in {"file", "both"}:
        body = gzip.compress(body)
    if packed in {"encoded", "both"}:
        body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
    answer = client.post("/v1/jobs", content=body, headers=headers, params={**options, "max_invalid": "1"})
    assert answer.status_code == 202, answer.text
    counts = {name: answer.json()[name] for name in ("total", "duplicates", "invalid", "blank")}
    assert counts == {"total": 13, "duplicates": 1, "invalid": 1, "blank": 0}
    ended = api.ended(client, answer.json()["job"])
    assert (ended["state"], ended["outcomes"]) == ("completed", {"cancelled": 12, "invalid": 1})
    assert {row["state"] for row in api.desk.record(references[:12]).values()} == {"Cancelled"}


def test_an_object_has_the_references_and_all_that_is_said_of_them(api: Api, client: httpx.Client) -> None:
    said = {"reason": "recall 1147", "requested_by": "j.doe", "priority": "urgent", "idempotency_key": "order-1",
            "deadline": "+2h", "account": "default", "max_invalid": "50%"}  # fmt: skip
    references = api.desk.fresh(3)
    answer = client.post("/v1/jobs", json={"references": [*references, " ", "nonsense"], **said})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job']}"
    seen = client.get(answer.headers["location"]).json()
    for name in ("reason", "requested_by", "priority", "idempotency_key", "account"):
        assert seen[name] == said[name]
    assert seen["deadline"] > seen["created_at"]
    found = api.results(client, seen["job"])
    assert {one["reference"]: one["outcome"] for one in found} == {
        **dict.fromkeys(references, "cancelled"), "nonsense": "invalid",
    }  # fmt: skip
    assert next(one for one in found if one["outcome"] == "invalid")["message"].startswith("line 5: ")


def test_who_calls_is_who_wants_it_where_nothing_else_is_said(api: Api) -> None:
    with_role = api.client("submit-role-token")
    job = with_role.post("/v1/jobs", json=api.desk.fresh(1)).json()["job"]
    assert api.client().get(f"/v1/jobs/{job}").json()["requested_by"] == "only-submit"


REFUSED = {
    "nothing": (TEXT, b"", {}, "no_references"),
    "no reference": (TEXT, b"these\nare\nwords\n", {}, "no_references"),
    "too many malformed": (TEXT, b"EC-000-05D-1NS\n" + b"x1\n" * 20, {}, "input"),
    "json that is called csv": (CSV, b'["EC-000-05D-1NS"]', {}, "input"),
    "csv that is called json": (JSON, b"a,b\nEC-000-05D-1NS,1\n", {}, "input"),
    "lines that are called json": (JSON, b"EC-000-05D-1NS\n", {}, "input"),
    "json lines that are called json": (JSON, b'"EC-000-05D-1NS"\n"EC-000-05D-1NT"\n', {}, "input"),
    "json that is called text": (TEXT, b'["EC-000-05D-1NS"]', {}, "input"),
    "json that is called json lines of arrays": (CSV, b'{"a": "EC-000-05D-1NS"}', {}, "input"),
    "an array that breaks off": (JSON, b'["EC-000-05D-1NS", ', {}, "input"),
    "an object that breaks off": (JSON, b'{"references": ["EC-000-05D-1NS"]', {}, "input"),
    "an object with nothing in it": (JSON, b"{}", {}, "validation"),
    "an object with a name that is none": (JSON, b'{"references": [], "because": "x"}', {}, "validation"),
    "an object with a name twice": (JSON, b'{"references": [], "references": ["EC-000-05D-1NS"]}', {}, "validation"),
    "an object with numbers": (JSON, b'{"references": [1]}', {}, "validation"),
    "an object in utf-16": (JSON, '{"references": []}'.encode("utf-16"), {}, "input"),
    "an object behind what is not seen": (JSON, '\u200b{"references": []}'.encode(), {}, "input"),
    "an array in utf-16": (JSON, '["EC-000-05D-1NS"]'.encode("utf-16"), {}, "input"),
    "an object that is no number": (JSON, b'{"references": [NaN]}', {}, "input"),
    "an object beside options": (JSON, b'{"references": ["EC-000-05D-1NS"]}', {"reason": "x"}, "validation"),
    "a parameter that is none": (TEXT, b"EC-000-05D-1NS", {"because": "x"}, "validation"),
    "a deadline that is past": (TEXT, b"EC-000-05D-1NS", {"deadline": "2020-01-01T00:00:00Z"}, "input"),
    "a deadline that is none": (TEXT, b"EC-000-05D-1NS", {"deadline": "tomorrow"}, "validation"),
    "an account that is none": (TEXT, b"EC-000-05D-1NS", {"account": "nobody"}, "validation"),
    "a priority that is none": (TEXT, b"EC-000-05D-1NS", {"priority": "soon"}, "validation"),
    "a column that is none": (CSV, b"a,b\nEC-000-05D-1NS,1\n", {"column": "c"}, "input"),
    "several columns": (CSV, b"a,b\nEC-000-05D-1NS,EC-000-05D-1NT\n", {}, "input"),
    "a damaged gzip": (TEXT, gzip.compress(b"EC-000-05D-1NS\n")[:-3], {}, "input"),
    "a gzip within two": (TEXT, gzip.compress(gzip.compress(b"EC-000-05D-1NS\n")), {}, "input"),
    "a form": ("application/x-www-form-urlencoded", b"EC-000-05D-1NS", {}, "unsupported_media_type"),
    "no type": ("", b"EC-000-05D-1NS", {}, "unsupported_media_type"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_surely_understood_is_refused_and_leaves_nothing(api: Api, client: httpx.Client, case: str) -> None:
    kind, body, options, code = REFUSED[case]
    before = {job.id for job in api.desk.jobs()}
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": kind}, params=options)
    found = problem(answer, code)
    assert {job.id for job in api.desk.jobs()} == before
    assert "--" not in found["detail"], "options are named as over HTTP"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Encoding": "br"}, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, "input"),
        ({"Idempotency-Key": "k" * 501}, "validation"),
    ],
)
def test_headers_that_cannot_be_met_are_refused(client: httpx.Client, headers: dict[str, str], code: str) -> None:
    problem(client.post("/v1/jobs", content=b"EC-000-05D-1NS", headers={"Content-Type": TEXT, **headers}), code)


def test_what_there_is_to_know_of_how_a_body_was_read_is_told_as_to_the_user_of_the_command(
    api: Api, client: httpx.Client
) -> None:
    rows = [f"{one},{other},é" for one, other in zip(api.desk.fresh(4), ["", *api.desk.fresh(3)], strict=True)]
    body = "\n".join(["a title", "", "reference;né;x", *(row.replace(",", ";") for row in rows)])
    answer = client.post("/v1/jobs", content=body.encode(), headers={"Content-Type": CSV}, params={"start_at": "+9h"})
    assert answer.status_code == 202, answer.text
    told = api.desk.ok("enqueue", "-", "--dry-run", text=body).err
    notes = answer.headers.get_list("cancellist-note")
    assert notes
    for note in notes:
        assert f"note: {note.replace('`column`', '--column')}" in told
    assert told.count("note: ") == len(notes)


def test_a_parameter_that_is_given_twice_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs?reason=a&reason=b", content=b"EC-000-05D-1NS", headers={"Content-Type": TEXT})
    assert problem(answer, "validation")["errors"] == [{"field": "reason", "message": "it is given twice"}]


def test_the_key_of_the_header_and_that_of_the_option_must_be_the_same(api: Api, client: httpx.Client) -> None:
    order = {"references": api.desk.fresh(1), "idempotency_key": "one-key"}
    problem(client.post("/v1/jobs", json=order, headers={"Idempotency-Key": "other"}), "validation")
    assert client.post("/v1/jobs", json=order, headers={"Idempotency-Key": "one-key"}).status_code == 202


def test_the_answer_is_held_back_until_the_job_has_ended_if_that_is_preferred(api: Api, client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json=api.desk.fresh(5), headers={"Prefer": "respond-async, wait=30"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30")
    assert (answer.json()["state"], answer.json()["outcomes"]) == ("completed", {"cancelled": 5})
    held = client.post("/v1/jobs", json=api.desk.fresh(1), params={"start_at": "+1h"}, headers={"Prefer": "wait=1"})
    assert (held.status_code, held.headers["preference-applied"]) == (202, "wait=1")
    assert (held.json()["state"], held.json()["pending"]) == ("held", 1)
    assert held.headers["location"] == f"/v1/jobs/{held.json()['job']}"
    odd = client.post("/v1/jobs", json=api.desk.fresh(1), headers={"Prefer": "wait=soon"})
    assert (odd.status_code, "preference-applied" in odd.headers) == (202, False)
