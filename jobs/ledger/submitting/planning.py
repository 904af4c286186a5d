"""Takes in what is to be planned: counts it, digests it, draws a sample, and looks for it in other jobs."""

import random
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field

from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.plans import Draft
from cancellist.jobs.ledger.references.overlap import overlap
from cancellist.jobs.ledger.references.reference_index import Progress, ReferenceIndex
from cancellist.jobs.ledger.submitting.input_feed import Feed
from cancellist.jobs.safety.preflight import Intake
from cancellist.jobs.safety.preflight_request import PreflightRequest
from cancellist.jobs.safety.sampling import Survey


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be planned, beside its references.

    Attributes:
        account: whose references they are.
        host: the platform's host; empty where a worker is to say it.
        read_all: most references of which all states are read.
        deadline_ms: by when it is to be done; None where there is none.
        made_by: who plans, as far as it is known.
    """

    account: str
    host: str
    read_all: int
    deadline_ms: int | None = None
    made_by: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """An input that was taken in: the plan without its report, and what is to be read for that."""

    draft: Draft
    request: PreflightRequest


@dataclass(slots=True)
class Planning:
    """Takes in inputs.

    Attributes:
        progress: told how far the index of references is, where it is behind.
    """

    ledger: Ledger
    index: ReferenceIndex
    progress: Progress | None = field(default=None)

    async def take_in(self, feed: Feed, wanted: Wanted) -> Taken:
        """Reads an input to its end.

        Raises:
            InputError: it cannot be used.
            ReferenceIndexError: the index of references cannot be used.
            LedgerError: the server does not answer.
        """
        survey = Survey(wanted.read_all, random.Random(secrets.randbits(128)).randrange)
        async with aclosing(feed.batches()) as batches:
            async for references, _ in batches:
                survey.add(references)
        content = survey.content
        intake = Intake(content.count, feed.duplicates, feed.invalid, feed.blank)
        others = await overlap(self.ledger, self.index, survey.compared, progress=self.progress)
        return Taken(
            Draft(wanted.account, content.digest(), content.count, wanted.host, wanted.made_by),
            PreflightRequest(survey.drawn, intake, others, wanted.deadline_ms),
        )
