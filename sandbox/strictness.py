"""Checks the headers of a call as strictly as the platform's guide demands. Pure."""

from collections.abc import Mapping
from typing import Final

from cancellist.sandbox.answers.answers import Answer, error

VERSION_HEADER: Final = "electio-api-version"
VERSION: Final = "1.1"
_TYPES: Final = frozenset({"application/json", "text/xml", "application/xml"})
_WITH_CONTENT: Final = frozenset({"PUT", "POST"})


def refuse_form(method: str, headers: Mapping[str, str], call: int) -> Answer | None:
    """Returns the refusal of a call without the right headers; None where they are right.

    Args:
        method: A PUT needs a content type though it has no body.
        headers: To be read in any case of letters.
        call: The call's number.
    """
    version = headers.get(VERSION_HEADER)
    if version is None:
        return error(400, "missing_api_version", f"The header {VERSION_HEADER} is required", call)
    if version.strip() != VERSION:
        return error(400, "invalid_api_version", f"The header {VERSION_HEADER} must be {VERSION}", call)
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if method in _WITH_CONTENT and content_type not in _TYPES:
        words = f"The Content-Type {content_type or '(none)'} is invalid; valid are {', '.join(sorted(_TYPES))}"
        return error(415, "invalid_content_type", words, call)
    return None
