"""One attempt: which request is made for a claim, and what of its answer is settled, held and told."""

import pytest

from cancellist.jobs.flow.signals import Signal
from cancellist.jobs.ledger.claims import Claim, Part
from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult
from cancellist.worker.calls.attempt import Attempt

A, B = "EC-000-05D-1NS", "EC-000-05D-1NT"
STATUS = {"ConsignmentReferenceForAllLegsAssignedByMpd": A, "Status": "Manifested"}
ERROR = {"Code": "x", "Message": "no", "CorrelationId": "c"}
NOW_MS = 1_000_000
POLICY = RetryPolicy(max_attempts=4, base_s=1, cap_s=8, call_timeout_s=10)


class Client:
    """The worker's own port to the platform, with the answers that a test gives it."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def _answer(self, what, may_send):
        if not await may_send():
            return Failure("withheld", written=False, withheld=True)
        self.asked.append(what)
        return self.answers.pop(0)

    async def cancel(self, references, may_send):
        return await self._answer(("cancel", *references), may_send)

    async def status(self, reference, may_send, *, alone=False):
        return await self._answer(("status", reference, alone), may_send)

    async def deallocate(self, references, may_send):
        return await self._answer(("deallocate", *references), may_send)


def items(**success):
    names = {"a": A, "b": B}
    return [{"IsSuccess": ok, "Message": "so", "Data": names[name]} for name, ok in success.items()]


def a_claim(*pieces, kind="calls", probe=False):
    parts = tuple(Part("job", piece) for piece in pieces)
    return Claim(
        "1", kind, parts, has_slot=True, score=1e14, gate=1, gate_now=1, server_ms=NOW_MS, probe=probe, size=100,
        delay_ms=0, limit=8,
    )  # fmt: skip


async def attempted(client, claim, *, may=True, **options):
    async def may_send():
        return may

    attempt = Attempt(client, POLICY, lease_s=9, jitter=lambda: 0.5, **options)
    return await attempt(claim, may_send)


def steps(result):
    return [[share.step for share in own] for own in result.parts]


async def test_a_list_is_called_once_and_each_reference_is_settled_by_its_own_item():
    client = Client(Answer(200, items(a=True, b=False)))
    result = await attempted(client, a_claim(Piece((A, B))))
    assert client.asked == [("cancel", A, B)]
    ((confirmed, refused),) = steps(result)
    assert confirmed == WriteResult(Outcome.CANCELLED, 1, 200, "so")
    assert refused == ReadState(0.0, 0, 1, refusal_status=200, refusal_words="so")
    assert [share.references for share in result.parts[0]] == [(A,), (B,)]
    assert result.shown.sign is Signal.ACCEPTED
    assert (result.hold_s, result.trouble.named) == (0.0, {"job": [B]})


async def test_pieces_of_several_jobs_are_answered_in_their_order():
    client = Client(Answer(200, items(b=True, a=True)))
    result = await attempted(client, a_claim(Piece((A,)), Piece((B,), named=2)))
    assert steps(result) == [
        [WriteResult(Outcome.CANCELLED, 1, 200, "so")],
        [WriteResult(Outcome.CANCELLED, 3, 200, "so")],
    ]


@pytest.mark.parametrize("kind", ["calls", "alone", "reads"])
async def test_nothing_is_asked_where_nothing_may_be_sent_and_nothing_is_burnt(kind):
    client = Client()
    result = await attempted(client, a_claim(Piece((A,), attempts=1, named=2), kind=kind), may=False)
    assert client.asked == []
    ((step,),) = steps(result)
    assert (step.attempts, step.named) == (1, 2)
    assert result.shown is None or result.shown.sign is not Signal.ACCEPTED


async def test_a_429_holds_the_account_for_as_long_as_it_says_and_lets_the_slot_rest():
    client = Client(Answer(429, ERROR, retry_after_s=7.0))
    result = await attempted(client, a_claim(Piece((A, B))))
    assert result.hold_s == 7.0
    assert result.hold_why
    assert result.shown.sign is Signal.REFUSED
    assert 0 < result.rest_s <= 9
    ((step,),) = steps(result)
    assert isinstance(step, CallAgain)
    assert step.attempts == 0


async def test_a_429_at_what_alone_is_refused_holds_nothing_but_that():
    client = Client(Answer(429, ERROR, retry_after_s=7.0))
    result = await attempted(client, a_claim(Piece((A,), unanswered=9, alone=9)))
    assert (result.shown, result.hold_s, result.hold_why) == (None, 0.0, None)
    assert all(step.delay_s >= 7.0 for own in steps(result) for step in own)


async def test_an_unclear_call_may_still_act_and_its_slot_rests():
    client = Client(Failure("timeout", written=True, timed_out=True))
    result = await attempted(client, a_claim(Piece((A, B))))
    ((step,),) = steps(result)
    assert isinstance(step, CallAgain)
    assert (step.attempts, step.unclear_s) == (1, 10)
    assert result.rest_s == 9
    assert result.trouble.named == {"job": [A, B]}


@pytest.mark.parametrize(("reads", "alone"), [(0, False), (1, True)])
async def test_a_404_to_a_read_is_believed_on_a_connection_of_its_own_alone(reads, alone):
    client = Client(Answer(404, ERROR))
    piece = Piece((A,), named=1, reads=reads, refusal_status=404, refusal_words="no")
    result = await attempted(client, a_claim(piece, kind="reads"))
    assert client.asked == [("status", A, alone)]
    ((step,),) = steps(result)
    assert isinstance(step, WriteResult) == alone
    assert not alone or step.outcome is Outcome.NOT_FOUND


async def test_a_read_settles_a_refusal_by_the_state():
    client = Client(Answer(200, STATUS))
    piece = Piece((A,), named=1, refusal_status=400, refusal_words="no")
    result = await attempted(client, a_claim(piece, kind="reads"))
    assert steps(result) == [[WriteResult(Outcome.MANIFESTED, 1, 200, "no", "Manifested")]]
    assert result.learnt == ("no", "manifested")


async def test_deallocating_comes_first_where_the_account_wants_it_and_what_is_manifested_is_left_alone():
    allocated = {**STATUS, "Status": "Allocated"}
    other = {**STATUS, "ConsignmentReferenceForAllLegsAssignedByMpd": B}
    client = Client(
        Answer(200, allocated), Answer(200, other), Answer(200), Answer(200, items(a=True, b=False))
    )  # fmt: skip
    result = await attempted(client, a_claim(Piece((A, B))), deallocate_first=True)
    assert [what[0] for what in client.asked] == ["status", "status", "deallocate", "cancel"]
    assert client.asked[2] == ("deallocate", A)
    ((confirmed, refused),) = steps(result)
    assert confirmed.outcome is Outcome.CANCELLED
    assert isinstance(refused, ReadState)
    assert not refused.deallocated


async def test_a_probe_that_fails_burns_nothing():
    client = Client(Answer(503, ERROR))
    result = await attempted(client, a_claim(Piece((A,), attempts=2, named=2), probe=True))
    ((step,),) = steps(result)
    assert step.attempts == 2
    assert result.slow_s == 0.0
