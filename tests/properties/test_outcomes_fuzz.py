"""A hundred thousand answers made up at random: every reference gets one verdict, and none is confirmed by accident."""

import os
import random
from collections.abc import Iterator

from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure
from cancellist.jobs.responses.cancellation import judge
from cancellist.jobs.responses.status_read import judge_reading
from cancellist.jobs.responses.verdicts import Confirmed, Refused, Suspect, Unclear, Untaken

ANSWERS = 100_000
STATUSES = [100, 200, 201, 202, 204, 206, 301, 307, 400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 422, 429, 500,
            502, 503, 504, 520, 599]  # fmt: skip
POOL = [f"EC-000-000-00{n}" for n in range(6)]


def _value(rng: random.Random, depth: int = 0) -> object:
    plain = [None, True, False, 0, 1, -1, 1.5, "", "true", "EC-000-000-000", "ec-000-000-001 ", "\ud800", "x" * 600]
    if depth > 2 or rng.random() < 0.6:
        return rng.choice(plain)
    if rng.random() < 0.5:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(["Data", "IsSuccess", "Message", "Status", "Code"]): _value(rng, depth + 1) for _ in range(3)}


def _item(rng: random.Random) -> object:
    if rng.random() < 0.1:
        return _value(rng)
    item: dict[str, object] = {"IsSuccess": rng.choice([True, True, True, False, None, "true", 1])}
    item["Data"] = rng.choice([*POOL, *POOL, POOL[0].lower(), f" {POOL[1]} ", None, 7, "EC-999-999-999"])
    if rng.random() < 0.7:
        item["Message"] = rng.choice(["Consignment cancellation completed successfully", "no", None, 3])
    if rng.random() < 0.1:
        item.pop(rng.choice(list(item)))
    return item


def _body(rng: random.Random) -> object:
    kind = rng.random()
    if kind < 0.1:
        return UNREADABLE
    if kind < 0.3:
        return _value(rng)
    return [_item(rng) for _ in range(rng.randrange(9))]


def _answer(rng: random.Random) -> Answer | Failure:
    if rng.random() < 0.05:
        return Failure("made up", written=rng.random() < 0.5)
    status = 200 if rng.random() < 0.6 else rng.choice(STATUSES)
    return Answer(status, _body(rng))


def _said(answer: Answer | Failure, reference: str) -> list[object]:
    """What the items of an answer say of a reference; in an object, wherever they are in it."""
    if isinstance(answer, Failure) or answer.body is UNREADABLE:
        return []
    items = answer.body if isinstance(answer.body, list) else list(_within(answer.body))
    return [
        item.get("IsSuccess")
        for item in items
        if isinstance(item, dict) and isinstance(item.get("Data"), str) and item["Data"].strip().upper() == reference
    ]


def _within(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _within(inner)


def test_whatever_is_answered_every_reference_gets_one_verdict_and_none_is_confirmed_by_accident() -> None:
    seed = int(os.environ.get("CANCELLIST_FUZZ_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed}: CANCELLIST_FUZZ_SEED={seed} repeats it")
    rng = random.Random(seed)
    confirmed = 0
    for _ in range(ANSWERS):
        references = rng.sample(POOL, rng.randrange(1, len(POOL)))
        answer = _answer(rng)
        single = len(references) == 1
        judgement = judge(references, answer, single=single)
        assert set(judgement.others) <= set(references)
        for reference in references:
            verdict = judgement.of(reference)
            assert isinstance(verdict, Confirmed | Refused | Unclear | Untaken | Suspect), (seed, answer)
            if isinstance(verdict, Confirmed):
                confirmed += 1
                said = _said(answer, reference)
                plain = single and isinstance(answer, Answer) and answer.body is None
                assert plain or (said and all(word is True for word in said)), (seed, answer)
        judge_reading(references[0], answer)
    assert confirmed > ANSWERS // 20
