"""Cursors: where the next page begins, as one word that a client hands back as it came."""

import base64
import binascii
import re
from typing import Final

from cancellist.api.problems import invalid
from cancellist.jobs.ledger import job_pages, results

_RESULTS: Final = re.compile(r"(?:([0-9a-z]{1,12})\.)?(\d{1,9})\.(\d{1,15}-\d{1,15})?", re.ASCII)
"""Older cursors name no job, and are still read."""
_JOBS: Final = re.compile(r"(\d{1,15})\.([0-9a-z]{1,12})", re.ASCII)

_MENTIONS: Final = re.compile(r"(r)\.([0-9a-z]{1,12})", re.ASCII)
_AUDIT: Final = re.compile(r"a\.(\d{1,15}-\d{1,15})", re.ASCII)


def of_references(job: str) -> str:
    """Where the next page of jobs that named a reference begins."""
    return _written(f"r.{job}")


def to_references(cursor: str | None) -> str | None:
    """The job that a cursor stands for; None without one.

    Raises:
        ProblemError: it is no cursor.
    """
    return None if cursor is None else _read(cursor, _MENTIONS)[2]


def of_audit(entry: str) -> str:
    """Where the next page of the audit log begins."""
    return _written(f"a.{entry}")


def to_audit(cursor: str | None) -> str:
    """The entry of the audit log that a cursor stands for; empty without one.

    Raises:
        ProblemError: it is no cursor.
    """
    return "" if cursor is None else _read(cursor, _AUDIT)[1]


def of_results(job: str, place: results.ResultsPlace) -> str:
    """Where the next page of a job's results begins."""
    return _written(f"{job}.{place.run}.{place.after}")


def to_results(job: str, cursor: str | None) -> results.ResultsPlace:
    """The place in a job's results that a cursor stands for; the beginning without one.

    Raises:
        ProblemError: it is no cursor, or another job's, by which results would be left out.
    """
    if cursor is None:
        return results.ResultsPlace()
    of, run, after = _read(cursor, _RESULTS).groups()
    if of not in {None, job}:
        raise invalid("cursor", f"it is of job {of}: give `next` of the page before")
    return results.ResultsPlace(int(run), after or "")


def of_jobs(place: job_pages.JobsPlace) -> str:
    """Where the next page of jobs begins."""
    return _written(f"{place.at_ms}.{place.job}")


def to_jobs(cursor: str | None) -> job_pages.JobsPlace | None:
    """The place that a cursor stands for; None without one.

    Raises:
        ProblemError: it is no cursor.
    """
    if cursor is None:
        return None
    found = _read(cursor, _JOBS)
    return job_pages.JobsPlace(int(found[1]), found[2])


def _written(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, form: re.Pattern[str]) -> re.Match[str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    found = form.fullmatch(text)
    if found is None:
        raise invalid("cursor", "it is no cursor: give `next` of the page before as it came")
    return found
