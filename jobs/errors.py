"""The project's errors, and the code of each, which programs may rely on.

CancellistError                 error: a user can fix it; its text is one line that says how
├── SettingsError               settings: a setting is missing or wrong
├── InputError                  input: the input cannot be used
│   ├── NoReferencesError       no_references: the input holds no reference
│   ├── IdempotencyConflictError  idempotency_conflict: the key was used before with other content
│   ├── RetriedBeforeError      retried_before: the job was retried before in another way
│   └── UploadUnderWayError     idempotency_in_progress: a submission with the key is under way
├── GuardError                  guard_refused: a guard of the account refuses the job
├── ApprovalMismatchError       approval_mismatch: what is approved is not what waits
├── ForbiddenError              forbidden: who asks may not do it
├── OutputError                 output: the output cannot be written to its place
├── UnknownJobError             unknown_job: no job has that id
├── UnknownWebhookError         unknown_webhook: no webhook, or no delivery of it, has that id
├── JobStateError               job_state: the job's state does not allow it
├── JobChangedError             job_changed: the job was changed since it was looked at
├── ResultsGoneError            results_gone: the results were trimmed
├── NotPermittedError           not_permitted: the account may make no call now
├── StopFileError               stop_file: all accounts stay stopped while a worker sees its stop file
├── NewHostError                new_host: nobody has confirmed the platform's host yet
├── SearchError                 search: the platform's answer to a search cannot be relied upon
├── PlanError                   stale_plan: the job is not what its plan was made of, or the plan is gone
├── CountMismatchError          count_mismatch: there are more or fewer references than were said to be
├── UnknownPlanError            unknown_plan: no plan has that token
├── ReferenceIndexError         reference_index: the file that remembers who named a reference cannot be used
├── IndexBehindError            index_behind: the file that remembers who named a reference is still behind
├── ParquetMissingError         parquet_missing: Parquet was asked for, and pyarrow is not installed
├── ReceiptError                receipt: a receipt, or what it stands for, does not verify
└── LedgerError                 server: the server cannot do what was asked
    ├── LedgerUnavailableError  server_unavailable: the server does not answer
    ├── LedgerRefusedError      server_refused: the password is wrong, or the ACL forbids a command
    ├── LedgerUnfitError        server_unfit: the server evicts keys, is too old, or holds another format
    └── LedgerFullError         server_full: the server has no room to finish these references
"""

from typing import ClassVar, Final

from cancellist.jobs.escaping import cut
from cancellist.jobs.option_names import COMMAND_LINE, OptionNames, named

_SHOWN: Final = 60


class CancellistError(Exception):
    """An error that a user can fix. `str()` is one line that says what to do.

    Attributes:
        code: the name for programs; it never changes.
        hint: what to do, where it is not part of the message.
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
    """The input cannot be used. The text names options as on the command line; `told` names them otherwise."""

    code = "input"

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(named(message, COMMAND_LINE), hint=hint)
        self._marked = message

    def told(self, names: OptionNames) -> str:
        """The message with options named like this."""
        return named(self._marked, names)


class NoReferencesError(InputError):
    """The input holds no reference."""

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


class RetriedBeforeError(InputError):
    """A job was made of the same references before, with another reason or priority.

    Attributes:
        job: that job.
    """

    code = "retried_before"

    def __init__(self, retried: str, job: str, differs: str) -> None:
        self.job = job
        super().__init__(
            f"job {retried} was retried before as job {job}, with another {differs}",
            hint=f"leave the {differs} out to get that job",
        )


class UploadUnderWayError(InputError):
    """Another submission with the same idempotency key is on its way."""

    code = "idempotency_in_progress"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"a submission with the idempotency key {key!r} is under way", hint="send it again later")


class GuardError(CancellistError):
    """A guard of the account refuses the job: nothing was handed in."""

    code = "guard_refused"

    def __init__(self, account: str, why: str) -> None:
        super().__init__(
            f"the guard of account {account} refuses the job: {why}; nothing was handed in",
            hint="check the references; who has the role approve may hand it in with --override REASON",
        )


class ApprovalMismatchError(CancellistError):
    """What is approved is not what waits."""

    code = "approval_mismatch"

    def __init__(self, job: str) -> None:
        super().__init__(
            f"job {job} has another count or digest than was given, so nothing was approved",
            hint="look at it again, and give the count and the digest that it has",
        )


class ForbiddenError(CancellistError):
    """Who asks may not do it."""

    code = "forbidden"


class OutputError(CancellistError):
    """The output cannot be written to its place."""

    code = "output"


class UnknownJobError(CancellistError):
    """No job has that id."""

    code = "unknown_job"

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(f"no job {job!r}", hint="`cancellist jobs` lists those there are")


class UnknownWebhookError(CancellistError):
    """No webhook, or no delivery of it, has that id."""

    code = "unknown_webhook"

    def __init__(self, webhook: str, delivery: str | None = None) -> None:
        listing = "cancellist webhooks" if delivery is None else f"cancellist webhooks deliveries {webhook}"
        what = (
            f"webhook {cut(webhook, _SHOWN)!r}"
            if delivery is None
            else f"delivery {cut(delivery, _SHOWN)!r} of {webhook}"
        )
        super().__init__(f"no {what}", hint=f"`{listing}` lists those there are")


class JobStateError(CancellistError):
    """The job's state does not allow it."""

    code = "job_state"

    def __init__(self, job: str, state: str, wanted: str, *, hint: str | None = None) -> None:
        self.job = job
        self.state = state
        super().__init__(f"job {job} is {state} and cannot be {wanted}", hint=hint)


class JobChangedError(CancellistError):
    """The job was changed since it was looked at."""

    code = "job_changed"

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(f"job {job} was changed since you looked at it", hint="look at it again")


class ResultsGoneError(CancellistError):
    """The results were trimmed."""

    code = "results_gone"


class NotPermittedError(CancellistError):
    """The account may make no call now."""

    code = "not_permitted"


class StopFileError(CancellistError):
    """All accounts stay stopped while a live worker sees its stop file.

    Attributes:
        where: the machine and the path of the file.
    """

    code = "stop_file"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"the stop file {where} is still there, so all accounts stay stopped", hint="remove it first")


class NewHostError(CancellistError):
    """Nobody has confirmed the platform's host yet, so nothing may be cancelled there.

    Attributes:
        account: whose host it is.
        host: the host that its calls would go to.
        given: the name that was given for it, if any.
    """

    code = "new_host"

    def __init__(self, account: str, host: str, given: str | None) -> None:
        self.account, self.host, self.given = account, host, given
        instead = f", and {given[:_SHOWN]!r} is not its name" if given is not None else ""
        super().__init__(
            f"this installation has never called PRODUCTION host {host} of account {account}{instead}",
            hint=f"if it is the right one, `cancellist resume --account {account} --host {host}` confirms it",
        )


class SearchError(CancellistError):
    """The platform's answer to a search cannot be relied upon, so nothing is taken from it."""

    code = "search"


class PlanError(CancellistError):
    """The job is not what its plan was made of, or there is no such plan. Nothing was handed in."""

    code = "stale_plan"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the plan does not hold for this job: {reason}", hint="make a new plan, and read it")


class CountMismatchError(CancellistError):
    """There are more or fewer references than were said to be. Nothing was handed in.

    Attributes:
        expected: how many there were said to be.
        found: how many there are, each counted once, without malformed entries.
    """

    code = "count_mismatch"

    def __init__(self, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"{expected:,} references were expected, and there are {found:,}, without duplicates and malformed entries",
            hint="see that it is the right input, or give the right number",
        )


class UnknownPlanError(CancellistError):
    """No plan has that token."""

    code = "unknown_plan"

    def __init__(self) -> None:
        super().__init__("there is no such plan", hint="it has expired, or was never made: make a new one")


class ReferenceIndexError(CancellistError):
    """The file that remembers which jobs named a reference cannot be used."""

    code = "reference_index"


class IndexBehindError(CancellistError):
    """The index of references is still being brought up to the end of the results; what was done of it stays done."""

    code = "index_behind"


class ParquetMissingError(CancellistError):
    """Parquet was asked for, and pyarrow is not installed."""

    code = "parquet_missing"


class ReceiptError(CancellistError):
    """A receipt does not verify, or something does not agree with it."""

    code = "receipt"


class LedgerError(CancellistError):
    """The server cannot do what was asked."""

    code = "server"


class LedgerUnavailableError(LedgerError):
    """The server does not answer."""

    code = "server_unavailable"


class LedgerRefusedError(LedgerError):
    """The password is wrong, or the server's ACL forbids a command."""

    code = "server_refused"


class LedgerUnfitError(LedgerError):
    """The server evicts keys, is too old, or holds another format."""

    code = "server_unfit"


class LedgerFullError(LedgerError):
    """The server has no room to turn these references into results."""

    code = "server_full"
