"""A desk for tests of `cancellist reinstate`, and what the platform then has."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cancellist.jobs.access import Access, Token, digest_of
from cancellist.worker.snapshots.cipher import make_key
from tests.support.commands import Desk, desk

ANNA, BO, CARL = "token-of-anna", "token-of-bo", "token-of-carl"
_ROLES = {"anna": (ANNA, Access.APPROVE), "bo": (BO, Access.APPROVE), "carl": (CARL, Access.SUBMIT)}


@dataclass
class ReinstatingDesk(Desk):
    """A desk whose platform plays faults on request."""

    @contextlib.contextmanager
    def faults(self, *kinds: str, **settings: object) -> Iterator[None]:
        """Plays these faults on every call of a block."""
        wanted = {"faults": dict.fromkeys(kinds, 1.0), **settings}
        before = self.platform.get("/sandbox/settings")
        self.platform.send("PUT", "/sandbox/settings", wanted)
        try:
            yield
        finally:
            self.platform.send("PUT", "/sandbox/settings", {name: before[name] for name in wanted})


@contextlib.contextmanager
def a_reinstating_desk(folder: Path) -> Iterator[ReinstatingDesk]:
    """Opens a desk at which consignments may be reinstated."""
    (folder / "snapshots").mkdir()
    make_key(folder / "snapshot.key")
    tokens = [Token(name, frozenset({role}), digest_of(token)).setting for name, (token, role) in _ROLES.items()]
    with desk(folder) as made:
        made.settings |= {
            "snapshot_dir": str(folder / "snapshots"), "snapshot_key_file": str(folder / "snapshot.key"),
            "reinstate": "true", "api_tokens": ",".join(tokens), "token": ANNA,
        }  # fmt: skip
        yield ReinstatingDesk(*(getattr(made, one.name) for one in fields(Desk)))


def cancel(desk: Desk, references: Sequence[str]) -> str:
    """Cancels references by a job that keeps their records."""
    job = desk.ok("enqueue", "-", "--snapshot", text="\n".join(references)).out.strip()
    desk.drain()
    return job


def told_at(desk: Desk, number: int) -> list[object]:
    """The options by which a script confirms so many."""
    return ["--count", number, "--host", desk.platform.url.removeprefix("http://")]


def new_ones(desk: Desk, old: str) -> list[str]:
    """The consignments that the platform has beside an old one, of the same customer's reference."""
    own = desk.platform.get(f"/consignments/{old}")["ConsignmentReferenceProvidedByCustomer"]
    found = desk.platform.get(f"/consignments/getConsignmentReferences?ReferenceProvidedByCustomer={own}")
    return [one for one in found if one != old]
