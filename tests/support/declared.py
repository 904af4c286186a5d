"""Whether an answer is one that the API's own description declares: its status, its type, its headers and its body."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import jsonschema_rs

HEADERS = {"retry-after", "location", "etag", "www-authenticate", "preference-applied", "idempotent-replayed",
           "cancellist-results-gone", "cancellist-outcomes", "cancellist-note", "x-request-id"}  # fmt: skip


@dataclass
class Description:
    """What a running process says of itself."""

    document: dict[str, Any]

    def check(self, answer: httpx.Response) -> None:
        """Fails where an answer is not declared."""
        streams = answer.headers.get("transfer-encoding") == "chunked"
        if not streams or answer.headers.get("content-type", "").startswith("application/json"):
            answer.read()
        request, path = answer.request, answer.request.url.path
        methods = self._methods(path)
        if methods is None:
            assert answer.status_code == 404, (path, answer.text)
            return
        operation = methods.get(request.method.lower())
        if operation is None:
            assert answer.status_code == 405, (request.method, path, answer.text)
            assert answer.headers["allow"] == ", ".join(sorted(map(str.upper, methods)))
            return
        self._check(answer, operation["responses"], f"{request.method} {path} {answer.status_code}")

    def _methods(self, path: str) -> dict[str, Any] | None:
        prefix = self.document["servers"][0]["url"].rstrip("/")
        for template, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path.removeprefix(prefix) or "/"):
                found: dict[str, Any] = methods
                return found
        return None

    def _check(self, answer: httpx.Response, declared: dict[str, Any], what: str) -> None:
        assert str(answer.status_code) in declared, f"{what} is not declared: {answer.text}"
        one = declared[str(answer.status_code)]
        for name in HEADERS & answer.headers.keys():
            assert name in map(str.lower, one["headers"]), f"{what}: the header {name} is not declared"
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.request.method == "HEAD" or (not kind and not one.get("content")):
            return
        assert kind in one["content"], f"{what}: {kind} is not declared"
        if kind.endswith(("/json", "+json")):
            schema = {**one["content"][kind]["schema"], "components": self.document["components"]}
            jsonschema_rs.validator_for(schema).validate(answer.json())
