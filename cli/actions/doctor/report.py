"""Prints the results of checks as a table or as JSON."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.text import Text

from cancellist.cli.terminal import cell, emit, heading, say
from cancellist.cli.terminal import show as draw
from cancellist.jobs.diagnostics.check_result import CheckResult, CheckStatus

_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.FAILED: "bold red",
    CheckStatus.SKIPPED: "dim",
}


def show(findings: Sequence[CheckResult], *, as_json: bool) -> None:
    """Prints the results of all checks."""
    if as_json:
        emit({"ok": not exit_status(findings), "checks": [_document(finding) for finding in findings]})
        return
    table = heading("", "check", "found", wrapped=["found"])
    for (verdict, _), alike in groupby(findings, key=_alike):
        first, *more = alike
        name = f"{len(more) + 1} checks" if more else first.check
        table.add_row(Text(verdict, style=_STYLES[verdict]), cell(name), _told(first))
    draw(table)
    say(_summary(findings))


def exit_status(findings: Sequence[CheckResult]) -> int:
    """Returns 1 if a check failed, else 0."""
    return int(any(finding.verdict is CheckStatus.FAILED for finding in findings))


def _alike(finding: CheckResult) -> tuple[CheckStatus, str]:
    """Groups checks that are skipped one after the other for the same reason into one line."""
    return finding.verdict, finding.found if finding.verdict is CheckStatus.SKIPPED else finding.check


def _told(finding: CheckResult) -> Text:
    """Returns what was found, its effect and how to fix it, each on lines of its own."""
    parts = [cell(finding.found, "dim" if finding.verdict is CheckStatus.SKIPPED else "")]
    if finding.means:
        parts.append(cell(finding.means))
    if finding.mend:
        parts.append(Text("→ ") + cell(finding.mend, "bold"))
    return Text("\n").join(parts)


def _summary(findings: Sequence[CheckResult]) -> str:
    counts = Counter(finding.verdict for finding in findings)
    warnings = counts[CheckStatus.WARNING]
    noted = f", {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
    if counts[CheckStatus.FAILED]:
        things = "1 thing" if counts[CheckStatus.FAILED] == 1 else f"{counts[CheckStatus.FAILED]} things"
        return f"{things} must be fixed{noted}"
    return f"nothing must be fixed{noted}"


def _document(finding: CheckResult) -> dict[str, str]:
    return {
        "check": finding.check,
        "verdict": finding.verdict.value,
        "found": finding.found,
        "means": finding.means,
        "mend": finding.mend,
    }
