"""Answers that are streamed, so that ten million rows take little memory and do not block other calls."""

import asyncio
from collections.abc import Iterator, Sequence

import orjson
from aiohttp import web

from cancellist.sandbox.answers.answers import JSON

JSON_LINES = "application/x-ndjson"


async def stream_array(
    request: web.BaseRequest, slices: Iterator[Sequence[object]], first: Sequence[object] = ()
) -> web.StreamResponse:
    """Answers a JSON array of the rows in `first`, then those in the slices."""
    response = web.StreamResponse(headers={"Content-Type": JSON})
    await response.prepare(request)
    await response.write(b"[" + orjson.dumps(first)[1:-1])
    separator = b"," if first else b""
    for rows in slices:
        if rows:
            await response.write(separator + orjson.dumps(rows)[1:-1])
            separator = b","
        await asyncio.sleep(0)
    await response.write(b"]")
    return response


async def stream_lines(request: web.BaseRequest, slices: Iterator[Sequence[object]]) -> web.StreamResponse:
    """Answers the rows in the slices as JSON, one a line."""
    response = web.StreamResponse(headers={"Content-Type": JSON_LINES})
    await response.prepare(request)
    for rows in slices:
        await response.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        await asyncio.sleep(0)
    return response
