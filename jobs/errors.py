"""The project's errors, and the code of each, which programs may rely on.

CancellistError                 error: anything a user can mend; its text is one line that says what to do
├── SettingsError               settings: a setting is missing or wrong
├── InputError                  input: what was handed in cannot be used
│   ├── NoReferencesError       no_references: it holds no reference at all
│   ├── IdempotencyConflictError  idempotency_conflict: the key was used before with other content
│   └── UploadUnderWayError     idempotency_in_progress: a submission with the key is on its way
├── OutputError                 output: what was asked for cannot be written where it should go
├── UnknownJobError             unknown_job: no job of that id
├── JobStateError               job_state: the job's state does not allow it
├── ResultsGoneError            results_gone: results were trimmed
└── LedgerError                 server: the server cannot do what is asked
    ├── LedgerUnavailableError  server_unavailable: it does not answer
    ├── LedgerRefusedError      server_refused: wrong password, or a command that its ACL forbids
    ├── LedgerUnfitError        server_unfit: it evicts, is too old, or holds another format
    └── LedgerFullError         server_full: admitting this would leave no room to drain
"""

from typing import ClassVar

from cancellist.jobs.option_names import COMMAND_LINE, OptionNames, named


class CancellistError(Exception):
    """Anything a user can mend; `str()` of it is one line that says what to do.

    Attributes:
        code: what programs tell it by; it stays.
        hint: what to do, where that is told apart from what is wrong.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class SettingsError(CancellistError):
    """A setting is missing or wrong."""

    code = "settings"


class InputError(CancellistError):
    """What was handed in cannot be used; options are named as on the command line, unless it is `told` otherwise."""

    code = "input"

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(named(message, COMMAND_LINE), hint=hint)
        self._marked = message

    def told(self, names: OptionNames) -> str:
        """The message with options named like this."""
        return named(self._marked, names)


class NoReferencesError(InputError):
    """The input holds no reference at all."""

    code = "no_references"


class IdempotencyConflictError(InputError):
    """The idempotency key was used before with other content.

    Attributes:
        job: the job that the key is bound to.
    """

    code = "idempotency_conflict"

    def __init__(self, key: str, job: str) -> None:
        self.key = key
        self.job = job
        super().__init__(f"idempotency key {key!r} is bound to job {job} with other content", hint="use a new key")


class UploadUnderWayError(InputError):
    """Another submission with the same idempotency key is on its way."""

    code = "idempotency_in_progress"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"a submission with the idempotency key {key!r} is under way", hint="send it again later")


class OutputError(CancellistError):
    """What was asked for cannot be written where it should go."""

    code = "output"


class UnknownJobError(CancellistError):
    """No job of that id."""

    code = "unknown_job"

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(f"no job {job!r}", hint="`cancellist jobs` lists those there are")


class JobStateError(CancellistError):
    """The job's state does not allow it."""

    code = "job_state"

    def __init__(self, job: str, state: str, wanted: str) -> None:
        self.job = job
        self.state = state
        super().__init__(f"job {job} is {state} and cannot be {wanted}")


class ResultsGoneError(CancellistError):
    """Results were trimmed."""

    code = "results_gone"


class LedgerError(CancellistError):
    """The server cannot do what is asked."""

    code = "server"


class LedgerUnavailableError(LedgerError):
    """The server does not answer."""

    code = "server_unavailable"


class LedgerRefusedError(LedgerError):
    """Wrong password, or a command that the server's ACL forbids."""

    code = "server_refused"


class LedgerUnfitError(LedgerError):
    """The server evicts, is too old, or holds another format."""

    code = "server_unfit"


class LedgerFullError(LedgerError):
    """Admitting this would leave no room to drain."""

    code = "server_full"
