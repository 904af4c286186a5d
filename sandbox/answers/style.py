"""How refusals are worded. It is a module of its own, so that the command line imports nothing else."""

from enum import StrEnum


class Style(StrEnum):
    """How refusals are worded: a text for each reason, one text for all, with the state's name, or a code."""

    OWN = "own"
    GENERIC = "generic"
    STATE = "state"
    CODE = "code"
