"""What routes share."""

import re
from typing import Final

from cancellist.jobs.errors import UnknownJobError

_ID: Final = re.compile(r"[0-9A-Za-z]{1,12}", re.ASCII)
_SHOWN: Final = 20

COMMON: Final = (
    "unauthorized", "forbidden", "validation", "server", "server_unavailable", "server_refused", "server_unfit",
)  # fmt: skip
"""Problems of every route that asks the ledger for a known caller."""


def job_id(text: str) -> str:
    """A job's id as the ledger has it.

    Raises:
        UnknownJobError: no job can have such an id.
    """
    if not _ID.fullmatch(text):
        raise UnknownJobError(text[:_SHOWN])
    return text.lower()
