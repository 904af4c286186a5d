"""Answers as JSON."""

from typing import Any

import orjson
from starlette.responses import Response


class JsonAnswer(Response):
    """An answer whose body is JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of it."""
        return orjson.dumps(content)
