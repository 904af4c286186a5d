"""Where a command acts: the hosts that workers of its account call, and the word of a person for a new host."""

from cancellist.cli.actions import identity
from cancellist.cli.actions.confirmation import typed
from cancellist.cli.output.environment import Whereabouts, banner, names
from cancellist.config.settings import LOCAL_SANDBOX, Settings
from cancellist.jobs.errors import InputError, NewHostError
from cancellist.jobs.ledger import hosts
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.safety.environment import Environment


def whereabouts(account: str, called: tuple[Environment, ...], settings: Settings) -> Whereabouts:
    """Where calls of an account go; `called` are the hosts that its workers have named."""
    ours = _ours(settings, account)
    if not called:
        if ours is None:
            return Whereabouts(account, (), "no worker has run yet")
        return Whereabouts(account, (ours,), "by these settings, since no worker has run yet")
    set_ = ours if ours and settings.of(account).api_url != LOCAL_SANDBOX else None
    note = f"these settings name another: {set_.words}" if set_ and set_ not in called else ""
    return Whereabouts(account, called, note)


async def check_asked(ledger: Ledger, account: str, settings: Settings) -> None:
    """Refuses to ask a platform about references that workers would cancel on another one.

    Raises:
        InputError: the settings at hand name another host than workers call. Two sandboxes may differ.
    """
    ours, called = settings.of(account).environment, await hosts.called(ledger, account)
    if called and ours not in called and not all(one.is_sandbox for one in (ours, *called)):
        raise InputError(
            f"workers of account {account!r} call {names(called)}, but these settings name {ours.words}, which "
            "knows nothing of what would be cancelled there",
            hint="give this command the CANCELLIST_API_URL of the workers",
        )


async def admit(ledger: Ledger, account: str, settings: Settings, given: str | None) -> str | None:
    """Has a person confirm the account's host by its name, if nobody has done that yet.

    Returns:
        The host that was named, given or typed: the job may be called there alone. None where none was.

    Raises:
        NewHostError: the name is not given, or it is another.
        InputError: a name is given, and the workers call another host.
    """
    host = await hosts.strange(ledger, account, _ours(settings, account))
    if host is None:
        await hosts.check(ledger, account, given)
        return given
    name = given
    if name is None:
        place = Whereabouts(account, (Environment(host, is_sandbox=False),))
        never = "This installation has never called this host. What is cancelled there cannot be undone.\n"
        name = typed("Type the name of the host to go on", above=banner(place) + never)
    if name is None or name.strip().lower() != host:
        raise NewHostError(account, host, name)
    await hosts.confirm(ledger, account, host, identity.person(settings))
    return host


def _ours(settings: Settings, account: str) -> Environment | None:
    return settings.of(account).environment if account in settings.account_names else None
