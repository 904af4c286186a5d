"""The answer for a long list, sent in parts."""

from collections.abc import AsyncIterator

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cancellist.api.facade import platform_errors, platform_words
from cancellist.api.facade.asked_references import AskedList


class ListAnswer(StreamingResponse):
    """The items of a list, which is closed once they are sent, or nobody is there to take them."""

    def __init__(self, asked: AskedList, headers: dict[str, str]) -> None:
        super().__init__(_items(asked), headers=headers, media_type=platform_errors.JSON)
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        with self._asked:
            await super().__call__(scope, receive, send)


async def _items(asked: AskedList) -> AsyncIterator[bytes]:
    before = b"["
    for page in asked.pages():
        yield before + b",".join(orjson.dumps(platform_words.item(one)) for one in page)
        before = b","
    yield b"]"
