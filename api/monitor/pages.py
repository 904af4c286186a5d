"""Pages, made of templates, with the headers that keep a browser from doing anything else than they need."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # with `no-referrer`, a browser sends `Origin: null` with a form
}
_TEMPLATES: Final = Environment(
    loader=PackageLoader("cancellist.api.monitor"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


_NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})


def page(
    template: str, prefix: str, *, status: int = 200, headers: Mapping[str, str] = _NO_MORE, **values: Any
) -> Response:
    """A page.

    Args:
        template: its file.
        prefix: the path that the API is behind.
        status: of the answer.
        headers: of the answer, beside those of each page or in their place.
        values: what the template shows.
    """
    text = _TEMPLATES.get_template(template).render(prefix=prefix, **values)
    return HTMLResponse(text, status, headers={**HEADERS, **headers})
