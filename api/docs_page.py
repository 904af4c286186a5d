"""What people read: the description, a page made of it, and what each kind of problem means."""

import asyncio
import base64
import hashlib
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, PlainTextResponse

from cancellist.api.context import InContext
from cancellist.api.description import describe
from cancellist.api.json_answer import JsonAnswer
from cancellist.api.problem_kinds import KINDS
from cancellist.api.problems import ProblemError, declared

router = APIRouter(tags=["documents"])

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}code{font:14px/1.4 "
    "ui-monospace,monospace;background:#f2f2f2;padding:.1rem .3rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-top:1px solid #e5e5e5}"
    ".role{color:#555}@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}"
    "code{background:#2a2a2a}td,th{border-color:#333}.role{color:#aaa}a{color:#8ab4f8}}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_MARKDOWN: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/openapi.json", response_model=None, responses={
    **declared(), 200: {"content": {"application/json": {"schema": {"type": "object"}}}},
})  # fmt: skip
async def openapi(request: Request, context: InContext) -> Any:
    """This description."""
    return JsonAnswer(await described(request, context))


@router.get("/docs", response_class=HTMLResponse, responses={**declared(), **_PAGE})
async def page(request: Request, context: InContext) -> Any:
    """The description as a page, without any script."""
    html = _html(await described(request, context), context.options.proxies.prefix)
    return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})


@router.get("/problems/{code}", response_class=PlainTextResponse, responses={**declared("not_found"), **_MARKDOWN})
async def problem(code: str) -> Any:
    """What a kind of problem means, and what to do."""
    kind = KINDS.get(code)
    if kind is None:
        raise ProblemError("not_found", "there is no such kind of problem", hint="/docs lists them")
    return PlainTextResponse(f"{kind.code} ({kind.status}): {kind.title}\n\n{kind.text}\n")


async def described(request: Request, context: InContext) -> dict[str, Any]:
    """The description, made once; beside all others, since it takes a quarter of a second."""
    state = request.app.state
    if not hasattr(state, "description"):
        making = asyncio.to_thread(describe, request.app, context.options.proxies.prefix)
        state.description = asyncio.ensure_future(making)
    made: asyncio.Future[dict[str, Any]] = state.description
    return await asyncio.shield(made)


def _html(description: dict[str, Any], prefix: str) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method != "head"
    )
    kinds = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.status}</td><td>{escape(kind.text)}</td></tr>'
        for kind in KINDS.values()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>cancellist</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>cancellist</h1><p>{escape(description['info']['description'])} "
        f'<a href="{prefix}/openapi.json">openapi.json</a> says the same to programs.</p>{operations}'
        f"<h2>Problems</h2><table><tr><th>code</th><th>status</th><th>meaning</th></tr>{kinds}</table></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    role = operation.get("x-role")
    needs = f'<p class="role">needs the role {escape(role)}</p>' if role else ""
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{escape(one.get('description') or one['schema'].get('description', ''))}</td></tr>"
        for one in operation.get("parameters", ())
    )
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(', '.join(answer.get('content', {})))}</td>"
        f"<td>{escape(answer.get('description', ''))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>{needs}<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table><tr><th>parameter</th><th>in</th><th></th></tr>{rows}</table>" if rows else "")
        + f"<table><tr><th>status</th><th>type</th><th></th></tr>{answers}</table>"
    )
