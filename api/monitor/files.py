"""The files that pages need."""

from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from cancellist.api.problems import ProblemError, declared

router = APIRouter(tags=["pages"])

_TYPES: Final = {"css": "text/css", "svg": "image/svg+xml"}
_FOUND: Final = {
    one.name: (one.read_bytes(), _TYPES[one.name.rpartition(".")[2]])
    for one in files("cancellist.api.monitor").joinpath("static").iterdir()
}
_ANY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in _TYPES.values()}}
}


@router.get("/static/{file}", response_class=Response, responses={**declared("not_found"), **_ANY})
async def static(file: str) -> Any:
    """A style sheet or a picture of the pages."""
    if file not in _FOUND:
        raise ProblemError("not_found", "there is no such file")
    content, media_type = _FOUND[file]
    return Response(content, media_type=media_type)
