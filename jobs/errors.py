"""The project's errors.

CancellistError                 anything a user can mend; its text is one line that says what to do
├── SettingsError               a setting is missing or wrong
├── InputError                  what was handed in cannot be used
│   ├── NoReferencesError       it holds no reference at all
│   └── IdempotencyConflictError  the key was used before with other content
├── UnknownJobError             no job of that id
├── JobStateError               the job's state does not allow it
└── LedgerError                 the server cannot do what is asked
    ├── LedgerUnavailableError  it does not answer
    ├── LedgerRefusedError      wrong password, or a command that its ACL forbids
    ├── LedgerUnfitError        it evicts, is too old, or holds another format
    └── LedgerFullError         admitting this would leave no room to drain
"""


class CancellistError(Exception):
    """Anything a user can mend; `str()` of it is one line that says what to do."""


class SettingsError(CancellistError):
    """A setting is missing or wrong."""


class InputError(CancellistError):
    """What was handed in cannot be used."""


class NoReferencesError(InputError):
    """The input holds no reference at all."""


class IdempotencyConflictError(InputError):
    """The idempotency key was used before with other content.

    Attributes:
        job: the job that the key is bound to.
    """

    def __init__(self, key: str, job: str) -> None:
        self.key = key
        self.job = job
        super().__init__(f"idempotency key {key!r} is bound to job {job} with other content; use a new key")


class UnknownJobError(CancellistError):
    """No job of that id."""

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(f"no job {job!r}; `cancellist jobs` lists those there are")


class JobStateError(CancellistError):
    """The job's state does not allow it."""

    def __init__(self, job: str, state: str, wanted: str) -> None:
        self.job = job
        self.state = state
        super().__init__(f"job {job} is {state} and cannot be {wanted}")


class LedgerError(CancellistError):
    """The server cannot do what is asked."""


class LedgerUnavailableError(LedgerError):
    """The server does not answer."""


class LedgerRefusedError(LedgerError):
    """Wrong password, or a command that the server's ACL forbids."""


class LedgerUnfitError(LedgerError):
    """The server evicts, is too old, or holds another format."""


class LedgerFullError(LedgerError):
    """Admitting this would leave no room to drain."""
