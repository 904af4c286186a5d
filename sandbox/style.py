"""How refusals are worded. It stands alone, so that the command line can name the ways without loading the platform."""

from enum import StrEnum


class Style(StrEnum):
    """How refusals are worded: as ever, one text for all, with the name of the state, or a code."""

    OWN = "own"
    GENERIC = "generic"
    STATE = "state"
    CODE = "code"
