"""What a request says of the job that it wants: as parameters beside a body, or within a JSON object."""

import json
import time
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cancellist.api.json_object import parse_object
from cancellist.api.pages import words
from cancellist.api.problems import invalid
from cancellist.jobs.escaping import says_nothing
from cancellist.jobs.ledger.changes import Change
from cancellist.jobs.ledger.submitting.enqueue import Wanted
from cancellist.jobs.ledger.submitting.retry import CHOSEN, Asked
from cancellist.jobs.limits import Limit, parse_limit
from cancellist.jobs.model import DEFAULT_ACCOUNT, MOST_IN_CANARY, Outcome, Priority
from cancellist.jobs.parsing.documents.hints import Hints, parse_delimiter
from cancellist.jobs.times import parse_span_s, parse_when_ms

_MAX_TEXT: Final = 500


def _when(value: str) -> str:
    parse_when_ms(value, now_ms=time.time_ns() // 1_000_000)
    return value


def _span(value: str) -> str:
    parse_span_s(value)
    return value


def _limit(value: Any) -> str:
    return str(parse_limit(str(value)) and value)


def filled(value: str) -> str:
    """A text that says something.

    Raises:
        ValueError: it is empty.
    """
    if says_nothing(value):
        raise ValueError("it is empty")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports a ValueError alone
    return value


_Text = Annotated[str, Field(max_length=_MAX_TEXT)]
_Filled = Annotated[_Text, AfterValidator(filled)]
_Count = Annotated[int, BeforeValidator(_number)]
_When = Annotated[_Text, AfterValidator(_when)]
_Span = Annotated[_Text, AfterValidator(_span)]


class JobOptions(BaseModel):
    """What may be said of any job."""

    model_config = ConfigDict(extra="forbid")

    reason: _Text | None = Field(None, description="why they are cancelled; kept")
    requested_by: _Text | None = Field(None, description="who wants it; kept; else the caller's name")
    priority: Priority = Field(Priority.NORMAL, description="a higher class goes first")
    deadline: _When | None = Field(
        None, description="what is not sent by then is `expired`: RFC 3339 with an offset, or a span such as +2h"
    )
    start_at: _When | None = Field(None, description="held until then, likewise")
    account: _Filled = Field(DEFAULT_ACCOUNT, description="the platform subscription")
    idempotency_key: _Filled | None = Field(None, description="as the header Idempotency-Key; both must be equal")
    max_invalid: Annotated[str, BeforeValidator(_limit)] | None = Field(
        None, description="malformed entries, as a number or a share such as 10%, above which the body is refused"
    )

    hold: _Span | None = Field(
        None, description="how long it waits before it starts, such as 5m, so that it can be taken back"
    )
    max_refused: Annotated[str, BeforeValidator(_limit)] | None = Field(
        None, description="refused references, as a number or a share, above which the job halts"
    )
    max_unconfirmed: Annotated[str, BeforeValidator(_limit)] | None = Field(
        None, description="unconfirmed and failed references, likewise"
    )
    canary: _Count | None = Field(
        None, ge=1, le=MOST_IN_CANARY, description="how many references are cancelled and read back before the rest"
    )
    snapshot: bool = Field(
        False,
        description="keep the platform's record of each reference before its call; what cannot be kept is not called",
    )
    override: _Filled | None = Field(
        None, description="why the guards of the account are passed; needs the role approve, and is recorded"
    )
    host: _Filled | None = Field(
        None,
        description="the platform's host: the job is called at no other; one never called before is confirmed by it",
    )
    plan: _Filled | None = Field(
        None, description="the token of a plan (`POST /v1/plans`): only what was planned is handed in, and only once"
    )
    expect_count: _Count | None = Field(
        None,
        ge=0,
        le=1_000_000_000_000,
        description="how many references there must be, each counted once, without malformed entries",
    )

    def wanted(self, caller: str, key: str | None) -> Wanted:
        """The same, as the ledger takes it.

        Raises:
            ProblemError: the header's key is another than the option's.
        """
        if key is not None and self.idempotency_key is not None and key != self.idempotency_key:
            raise invalid("idempotency_key", "it is not the same as the header Idempotency-Key: give it once")
        return Wanted(
            account=self.account,
            reason=self.reason,
            requested_by=self.requested_by or caller,
            priority=self.priority,
            deadline=self.deadline,
            start_at=self.start_at,
            idempotency_key=key or self.idempotency_key,
            hold=self.hold,
            submitted_by=caller,
            max_refused=self.max_refused,
            max_unconfirmed=self.max_unconfirmed,
            canary=self.canary,
            snapshot=self.snapshot,
            overridden_by=caller if self.override else None,
            override_reason=self.override,
            host=self.host,
            plan=self.plan,
            expect_count=self.expect_count,
        )

    def limit(self, usual: Limit) -> Limit:
        """How many entries may be malformed."""
        return usual if self.max_invalid is None else parse_limit(self.max_invalid)


class BodyOptions(JobOptions):
    """What may be said of a job whose references are the body."""

    column: _Filled | None = Field(
        None, description="the CSV column, by its name or its number from 1; or the JSON array or key, dotted"
    )
    delimiter: Annotated[_Text, AfterValidator(parse_delimiter)] | None = Field(
        None, description="what parts the cells of CSV: one character, or tab, comma, semicolon, pipe, space"
    )
    header: bool = Field(True, description="whether CSV may begin with the names of its columns")
    skip_lines: int = Field(0, ge=0, le=1_000_000_000, description="lines at the beginning to skip")

    def hints(self) -> Hints:
        """How the body is to be read."""
        return Hints(self.column, self.delimiter, self.header, self.skip_lines)


class JobOrder(JobOptions):
    """A job with its references, as one JSON object."""

    references: list[str] = Field(description="the consignment references")

    def document(self) -> bytes:
        """The references as a JSON array with one on each line, so that the number of a line is that of an entry."""
        return b"[" + b",\n".join(map(_quoted, self.references)) + b"]"


def _quoted(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # half a surrogate pair, which is no UTF-8
        return json.dumps(text).encode()


def checked_key(given: str | None) -> str | None:
    """The key of the header `Idempotency-Key`.

    Raises:
        ProblemError: it is none.
    """
    if given is None:
        return None
    if not given.strip() or len(given) > _MAX_TEXT or not given.isprintable():
        raise invalid("Idempotency-Key", f"it has 1 to {_MAX_TEXT} printable characters")
    return given.strip()


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class JobChange(BaseModel):
    """What is to be changed of a job; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    priority: Priority = Field(Priority.NORMAL, description="its class", json_schema_extra=_without_default)
    deadline: _When | None = Field(
        None,
        description="what no call has taken by then is `expired`: RFC 3339 with an offset, or a span such as +2h; null "
        "for none",
        json_schema_extra=_without_default,
    )

    def change(self) -> Change:
        """The same, as the ledger takes it.

        Raises:
            ProblemError: nothing is to be changed.
        """
        given = self.model_fields_set
        if not given:
            raise invalid("priority", "give a priority, a deadline, or both")
        return Change(
            priority=self.priority if "priority" in given else None,
            deadline=self.deadline,
            no_deadline="deadline" in given and self.deadline is None,
        )


class RetryQuery(BaseModel):
    """Which references of a job are handed in again, and how."""

    model_config = ConfigDict(extra="forbid")

    outcome: Annotated[str, words(Outcome)] | None = Field(
        None,
        description=f"one or several, with commas between; else {', '.join(one for one in Outcome if one in CHOSEN)}",
    )
    reason: _Text | None = Field(None, description="why; else that of the job")
    requested_by: _Text | None = Field(None, description="who wants it; else the caller's name")
    priority: Priority | None = Field(None, description="else that of the job")
    deadline: _When | None = Field(None, description="that of the job is not taken over")
    start_at: _When | None = Field(None, description="held until then")
    override: _Filled | None = Field(
        None, description="why the guards of the account are passed; needs the role approve, and is recorded"
    )
    snapshot: bool = Field(
        False, description="keep the record of each reference before its call; also where the job has it"
    )
    host: _Filled | None = Field(None, description="the platform's host, if it was never called before")

    @property
    def outcomes(self) -> frozenset[Outcome]:
        """Those that are wanted; empty where none is named."""
        return frozenset(map(Outcome, self.outcome.split(","))) if self.outcome else frozenset()

    def asked(self, caller: str) -> Asked:
        """The same, as the ledger takes it."""
        return Asked(
            self.reason,
            self.requested_by or caller,
            self.priority,
            self.deadline,
            self.start_at,
            submitted_by=caller,
            override_reason=self.override,
            host=self.host,
            snapshot=self.snapshot,
        )


def parse_order(text: bytes) -> JobOrder:
    """Reads the JSON object of a job; raises as `parse_object` does."""
    return parse_object(text, JobOrder)
