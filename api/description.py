"""The description of the API (OpenAPI 3.1), made from the routes themselves."""

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from cancellist.api.approvals import Approve, Reject
from cancellist.api.auth import KEY_HEADER, role_of, takes_key
from cancellist.api.job_changes import MERGE_PATCH
from cancellist.api.job_request import JobChange, JobOrder
from cancellist.api.schemas import Problem
from cancellist.api.webhooks.endpoints import NewWebhook, Replay

_TITLE: Final = "cancellist"
_ABOUT: Final = (
    "Cancels consignments in bulk: hand in references, get one true result for each. Errors are problems (RFC 9457) "
    "whose `type` stays."
)
_REF: Final = "#/components/schemas/{model}"
_TEXT: Final = {"schema": {"type": "string"}}
_BODY: Final = {
    "required": True,
    "description": "plain or gzip (`Content-Encoding`)",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [{"$ref": "#/components/schemas/JobOrder"}, {"type": "array", "items": {"type": "string"}}]
            }
        },
        "text/csv": _TEXT,
        "application/x-ndjson": _TEXT,
        "text/plain": _TEXT,
    },
}
_CHANGE: Final = {"schema": {"$ref": "#/components/schemas/JobChange"}}
_CHANGE_BODY: Final = {"required": True, "content": {"application/json": _CHANGE, MERGE_PATCH: _CHANGE}}
_FORM: Final = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]}
        }
    },
}
_ID: Final = {"description": "the request's id, which the log has too", "schema": {"type": "string"}}


def describe(app: FastAPI, prefix: str) -> dict[str, Any]:
    """The whole description.

    Args:
        app: with its routes.
        prefix: the path that it is behind.
    """
    found = get_openapi(
        title=_TITLE,
        version=_version(),
        description=_ABOUT,
        routes=app.routes,
        servers=[{"url": prefix or "/"}],
    )
    read: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (JobOrder, "validation"),
        (JobChange, "validation"),
        (Approve, "validation"),
        (Reject, "validation"),
        (NewWebhook, "validation"),
        (Replay, "validation"),
    ]
    _, own = models_json_schema([(Problem, "serialization"), *read], ref_template=_REF)
    components = found.setdefault("components", {})
    components["schemas"] = {**own["$defs"], **components.get("schemas", {})}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
    }
    for route, operation in _operations(app, found):
        role = role_of(route)
        if role:
            operation["security"] = [{"token": []}, {"key": []}] if takes_key(route.path) else [{"token": []}]
            operation["x-role"] = role
        for answer in operation["responses"].values():
            answer.setdefault("headers", {})["X-Request-ID"] = _ID
    for operations in found["paths"].values():
        if "get" in operations:
            operations["head"] = _head(operations["get"])
    _declare_bodies(found["paths"])
    return found


def _declare_bodies(paths: dict[str, Any]) -> None:
    """Declares the bodies that routes read themselves, which FastAPI knows nothing of."""
    for path in ("/v1/jobs", "/v1/plans"):
        paths[path]["post"]["requestBody"] = _BODY
    paths["/v1/jobs/{job}"]["patch"]["requestBody"] = _CHANGE_BODY
    paths["/v1/jobs/{job}/approve"]["post"]["requestBody"] = _object(Approve, required=True)
    paths["/v1/jobs/{job}/reject"]["post"]["requestBody"] = _object(Reject, required=True)
    paths["/v1/webhooks"]["post"]["requestBody"] = _object(NewWebhook, required=True)
    paths["/sign-in"]["post"]["requestBody"] = _FORM
    paths["/v1/webhooks/{webhook}/replay"]["post"]["requestBody"] = _object(Replay, required=False)


def _head(get: dict[str, Any]) -> dict[str, Any]:
    """What GET answers, without a body."""
    answers = {
        status: {name: value for name, value in answer.items() if name != "content"}
        for status, answer in get["responses"].items()
    }
    said = f"As GET, without a body. {get.get('description', '')}".strip()
    return {**get, "operationId": f"{get['operationId']}_head", "description": said, "responses": answers}


def _object(model: type[BaseModel], *, required: bool) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _operations(app: FastAPI, found: dict[str, Any]) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in routes_of(app.routes):
        for method in route.methods or ():
            yield route, found["paths"][route.path_format][method.lower()]


def routes_of(routes: Iterable[object]) -> Iterator[APIRoute]:
    """The routes that are described."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            yield route


def _version() -> str:
    try:
        return version(_TITLE)
    except PackageNotFoundError:
        return "0"
