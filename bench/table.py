"""The table at the end: the figures, their targets, and whether they were reached.

Every row keeps all its samples, and shows their least and greatest beside the median: on a machine that does other
work as well, a median alone says less than it seems to.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HEADINGS = ("name", "median", "min", "max", "n", "target", "verdict")
OK, SHORT, UNJUDGED = "ok", "short", "-"


@dataclass(frozen=True)
class Row:
    """One figure, sampled one or more times. A figure without a target serves for comparison.

    `target` is a lower bound, or an upper one where `at_most` is set; the median is held against it.
    """

    name: str
    unit: str
    samples: tuple[float, ...]
    target: float | None = None
    at_most: bool = False

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    @property
    def verdict(self) -> str:
        """`ok` or `short` of the target, `-` where there is none."""
        if self.target is None:
            return UNJUDGED
        reached = self.median <= self.target if self.at_most else self.median >= self.target
        return OK if reached else SHORT

    def as_dict(self) -> dict[str, Any]:
        """Return the row for `--json`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "samples": list(self.samples),
            "target": self.target,
            "bound": None if self.target is None else "at most" if self.at_most else "at least",
            "verdict": self.verdict,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row for the table, under `HEADINGS`."""
        target = "" if self.target is None else f"{'<=' if self.at_most else '>='} {number(self.target)}"
        return (
            f"{self.name} ({self.unit})" if self.unit else self.name,
            number(self.median),
            number(min(self.samples)),
            number(max(self.samples)),
            str(len(self.samples)),
            target,
            self.verdict,
        )


def number(value: float) -> str:
    """Return `value` with its significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def as_text(rows: Sequence[Row]) -> str:
    """Return the rows as one aligned table."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (tuple(zip(line, widths, strict=True)) for line in lines)
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def as_json(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    """Return the rows and the machine's facts as one JSON document."""
    return json.dumps({"machine": machine, "rows": [row.as_dict() for row in rows]}, indent=2)
