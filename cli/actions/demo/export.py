"""Generates a realistic CSV export of a shop's orders, as a warehouse system would write it."""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cancellist.sandbox.world.consignments import Mix, initial_state, parse_mix
from cancellist.sandbox.world.references import reference

SEED: Final = 20_251
MIX: Final = "Allocated=82,ReadyToShip=8,Unallocated=2,Manifested=3,InTransit=2,Delivered=1,Cancelled=2"
HEADER: Final = (
    "Order Number", "Customer", "Consignment Reference", "Warehouse", "Created", "Weight (kg)", "Carrier Service",
)  # fmt: skip

SHARES: Final = {"duplicate": 0.02, "malformed": 0.002, "manifested": 0.015, "unknown": 0.004, "cancelled": 0.006}
"""Shares of all rows by kind. The rest can be cancelled."""
_EACH_KIND_FROM: Final = 20
"""From this many rows on, each kind occurs at least once."""
_UNTIDY: Final = 0.03
"""Share of references in lower case or with spaces around them."""

_MANIFESTED: Final = frozenset({"Manifested", "InTransit", "Delivered"})
_CUSTOMERS: Final = (
    "Müller & Söhne GmbH", "O'Brien, Siobhán", "Ångström Møbler ApS", 'Café "Le Zèbre"', "Nguyễn Thị Hoa",
    "García Ibáñez, Lucía", "Smith & Sons Ltd", "Łukasz Wiśniewski", "Jane Doe", "Çelik, Özgür", "Zoë van der Berg",
    "Patel, Priya", 'Brown "The Baker" Ltd', "Dvořák, Jiří", "Jones, Gareth", "Ferreira João",
)  # fmt: skip
_WAREHOUSES: Final = ("Leeds", "Malmö", "Kraków", "Lyon Saint-Priest", "Coventry, Unit 4")
_SERVICES: Final = (
    "Parcel Next Day", "Parcel 48", "Courier Same Day, London", "International Road", "Locker Standard",
)  # fmt: skip
_MALFORMED: Final = (
    "EC-{0}", "EC-{0}-{1}", "EC-{0}-{1}-{2}-{0}", "{0} {1} {2}", "EC-{0}-{1}-??{2}", "n/a", "see order", "#REF!",
    "EC_{0}_{1}_{2}", "EC-{0}-{1}-{2}/EC-{1}-{2}-{0}", "?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """The generated file.

    Attributes:
        references: the well-formed references, each once.
        malformed: number of rows without a reference.
        duplicates: number of rows that repeat a reference.
        consignments: number of consignments the platform must be seeded with.
    """

    path: Path
    references: list[str]
    malformed: int
    duplicates: int
    consignments: int


def consignments(rows: int) -> int:
    """Returns how many consignments the platform needs to have enough of each state for these rows."""
    return 1_000 + 2 * rows


def write(path: Path, rows: int) -> Export:
    """Writes a file with this many rows. The same number gives the same file, except for its dates."""
    rng = random.Random(SEED)
    quotas = _quotas(rows)
    references = [
        *_seeded(rows - sum(quotas.values()), quotas),
        *(reference(SEED, consignments(rows) + place) for place in range(quotas["unknown"])),
    ]
    cells = [_untidy(rng, name) for name in references]
    cells += [_malformed(rng, name) for name in rng.choices(references, k=quotas["malformed"])]
    cells += [_untidy(rng, name) for name in rng.choices(references, k=quotas["duplicate"])]
    rng.shuffle(cells)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        table.writerows(_rows(rng, cells))
    return Export(path, references, quotas["malformed"], quotas["duplicate"], consignments(rows))


def _quotas(rows: int) -> dict[str, int]:
    if rows < _EACH_KIND_FROM:
        return dict.fromkeys(SHARES, 0)
    return {kind: max(1, round(share * rows)) for kind, share in SHARES.items()}


def _seeded(open_ones: int, quotas: dict[str, int]) -> Iterator[str]:
    """Yields references of the platform's consignments: as many in each class of state as the quotas say."""
    mix: Mix = parse_mix(MIX)
    left = {"open": open_ones, "manifested": quotas["manifested"], "cancelled": quotas["cancelled"]}
    for index in range(consignments(open_ones + sum(quotas.values()))):
        if not any(left.values()):
            return
        state = initial_state(SEED, index, mix)
        state_class = "manifested" if state in _MANIFESTED else "cancelled" if state == "Cancelled" else "open"
        if left[state_class]:
            left[state_class] -= 1
            yield reference(SEED, index)


def _untidy(rng: random.Random, name: str) -> str:
    if rng.random() >= _UNTIDY:
        return name
    return rng.choice((name.lower(), f" {name}", f"{name}  "))


def _malformed(rng: random.Random, name: str) -> str:
    return rng.choice(_MALFORMED).format(*name.split("-")[1:])


def _rows(rng: random.Random, cells: list[str]) -> Iterator[tuple[object, ...]]:
    first = datetime.now().astimezone().replace(microsecond=0) - timedelta(days=9)
    step = timedelta(days=9) / (len(cells) + 1)
    for number, cell in enumerate(cells):
        yield (
            f"SO-{1_048_000 + number}",
            rng.choice(_CUSTOMERS),
            cell,
            rng.choice(_WAREHOUSES),
            (first + number * step).isoformat(timespec="seconds"),
            f"{rng.uniform(0.1, 29.5):.2f}",
            rng.choice(_SERVICES),
        )
