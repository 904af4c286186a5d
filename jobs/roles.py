"""The roles of the server's users; docs/reference/acl.md has the rights of each."""

from enum import StrEnum


class Role(StrEnum):
    """What a process does with the server."""

    WORKER = "worker"
    PRODUCER = "producer"
    READER = "reader"
