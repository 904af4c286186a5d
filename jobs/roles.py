"""What a user of the server is there for; docs/reference/acl.md has the rights of each."""

from enum import StrEnum


class Role(StrEnum):
    """A part that a process plays."""

    WORKER = "worker"
    PRODUCER = "producer"
    READER = "reader"
