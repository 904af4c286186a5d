"""Every way in to a running installation: what it is given, and what it answers, in one form."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from redis import Redis

from cancellist.api.problem_kinds import KINDS
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest
from tests.support.api import EVERY, WITHIN_S, Api
from tests.support.ledgers import opened_ledger

WAYS = ("command", "http", "stream", "facade", "retry")
_CODE_OF = {kind.type: code for code, kind in KINDS.items()}


@dataclass(frozen=True)
class Given:
    """What is handed in, and what is said of it; an empty value says nothing."""

    references: Sequence[str]
    account: str = "default"
    plan: str = ""
    expect_count: str = ""
    key: str = ""

    def options(self, **names: str) -> dict[str, str]:
        """What is said, by the names that the way in has for it."""
        return {name: value for field_, name in names.items() if (value := getattr(self, field_))}


@dataclass(frozen=True)
class Answer:
    """The job that was made, or else the code and the words of the refusal."""

    job: str = ""
    code: str = ""
    words: str = ""


@dataclass
class WaysIn:
    """The ways in to a `serve` with a worker beside it."""

    api: Api
    _names: Iterator[int] = field(default_factory=itertools.count)

    def by(self, way: str, given: Given) -> Answer:
        """Hands in by the way of that name."""
        hand_in = {
            "command": self._command, "http": self._http, "stream": self._stream, "facade": self._facade,
            "retry": self._retry,
        }[way]  # fmt: skip
        return hand_in(given)

    def ended_job(self, given: Given) -> str:
        """A job of these references that was aborted before it started: a retry hands them all in again.

        It passes the guards by an override, and no host is asked for: that of the retry is to be seen.
        """

        async def make() -> str:
            in_an_hour = int(time.time() * 1000) + 3_600_000
            order = JobRequest(
                account=given.account, start_at_ms=in_an_hour, overridden_by="anna", override_reason="before the guard"
            )
            async with opened_ledger(self.api.desk.url) as ledger:
                one = Submission(ledger, order)
                await one.add(given.references)
                sealed = await one.seal(duplicates=0, idempotency_keep_s=60, per_call=10)
                assert sealed
                return sealed.job

        job = asyncio.run(make())
        self.api.client().post(f"/v1/jobs/{job}/abort").raise_for_status()
        assert self.api.ended(self.api.client(), job)["outcomes"] == {"aborted": len(given.references)}
        return job

    def retry_of(self, job: str) -> Answer:
        """Retries a job."""
        return _of_http(self.api.client().post(f"/v1/jobs/{job}/retry"))

    def _command(self, given: Given) -> Answer:
        said = given.options(account="--account", plan="--plan", expect_count="--expect-count", key="--idempotency-key")
        words = [word for pair in said.items() for word in pair]
        done = self.api.desk.run("enqueue", "-", "--json", *words, text="\n".join(given.references))
        if done.status == 0:
            return Answer(done.document["job"])
        error = json.loads(done.err.splitlines()[-1])["error"]
        return Answer(code=error["code"], words=error["message"])

    def _http(self, given: Given) -> Answer:
        said = given.options(account="account", plan="plan", expect_count="expect_count", key="idempotency_key")
        return _of_http(self.api.client().post("/v1/jobs", json=list(given.references), params=said))

    def _stream(self, given: Given) -> Answer:
        name = f"way-{next(self._names)}"
        said = given.options(account="account", plan="plan", expect_count="expect_count", key="idempotency_key")
        with Redis.from_url(self.api.desk.url, decode_responses=True) as redis:
            redis.xadd("cancellist:intake", {"references": "\n".join(given.references), "reply_to": name, **said})
            found: Any = redis.xread({f"cancellist:replies:{name}": "0"}, block=WITHIN_S * 1000)
        assert found, "the entry was not answered"
        told = found[0][1][0][1]
        return Answer(told["job"]) if "job" in told else Answer(code=told["error"], words=told["message"])

    def _facade(self, given: Given) -> Answer:
        said = given.options(plan="Cancellist-Plan", key="Idempotency-Key")
        path = f"/accounts/{given.account}/consignments/cancellist"
        headers = {"Prefer": "wait=0", **said}
        answer = self.api.client(EVERY).put(path, json=list(given.references), headers=headers)
        if job := answer.headers.get("location", "").rpartition("/")[2]:
            return Answer(job)
        return Answer(code=answer.json()["Code"], words=answer.json()["Message"])

    def _retry(self, given: Given) -> Answer:
        return self.retry_of(self.ended_job(given))


def _of_http(answer: httpx.Response) -> Answer:
    document = answer.json()
    if answer.is_success:
        return Answer(document["job"])
    return Answer(code=_CODE_OF[document["type"]], words=document["detail"])
