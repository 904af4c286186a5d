"""Who hands a job in on the command line. It is apart from identity.py, which commands use that read no files."""

from dataclasses import replace
from typing import TypeVar

from cancellist.cli.actions import identity
from cancellist.config.settings import Settings
from cancellist.jobs.ledger.submitting.enqueue import Wanted
from cancellist.jobs.ledger.submitting.retry import Asked

_Order = TypeVar("_Order", Wanted, Asked)


def signed(order: _Order, settings: Settings) -> _Order:
    """A request with the name of who makes it.

    Raises:
        ForbiddenError: it overrides a guard, and who makes it may not.
        SettingsError: as `identity.caller`.
    """
    if order.override_reason is None:
        found = identity.caller(settings)
        return replace(order, submitted_by=found.name if found else None)
    by = identity.approver(settings, "--override")
    if isinstance(order, Wanted):
        return replace(order, submitted_by=by, overridden_by=by)
    return replace(order, submitted_by=by)
