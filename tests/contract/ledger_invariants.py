"""What must hold of the ledger after every step of its model (ledger_machine.py)."""

import json
from collections import Counter
from typing import Any

from cancellist.jobs.ledger.claims import Claim, Terms
from cancellist.jobs.ledger.pieces import unpack_piece
from cancellist.jobs.model import Outcome

TERMS = Terms(limit=3, per_call=10, linger_ms=0, lease_ms=60_000)


class LedgerInvariants:
    """Compares what the server holds with what was submitted, claimed and settled."""

    redis: Any
    submitted: dict[str, Counter[str]]
    claimed: dict[str, Claim]
    outcomes: dict[tuple[str, str], set[Outcome]]

    async def check(self):
        found = {job: Counter() for job in self.submitted}
        counts = Counter()
        await self._look_into_claims(found, counts)
        await self._look_into_results(found, counts)
        ready, unsettled = Counter(), 0
        for job, submitted in self.submitted.items():
            h = await self._hash(f"cancellist:job:{job}")
            await self._look_into_job(job, found[job], counts)
            assert found[job] == submitted, (job, h)
            unsettled += self._check_counters(job, h, counts)
            await self._check_place(job, h)
            ready.update({kind: int(h[kind]) for kind in ("calls", "reads") if f"{kind}_turn" in h})
        await self._check_account(ready, unsettled)

    async def _hash(self, key):
        return {k.decode(): v.decode() for k, v in (await self.redis.hgetall(key)).items()}

    async def _look_into_claims(self, found, counts):
        on_books = await self.redis.hkeys("cancellist:account:default:claimed")
        assert {claim.decode() for claim in on_books} == set(self.claimed)
        for held in self.claimed.values():
            for part in held.parts:
                found[part.job].update(part.piece.references)
                counts[part.job, "claimed"] += len(part.piece.references)

    async def _look_into_results(self, found, counts):
        results = Counter()
        for _, entry in await self.redis.xrange("cancellist:results"):
            job, reference = entry[b"job"].decode(), entry[b"reference"].decode()
            outcome = Outcome(entry[b"outcome"].decode())
            results[job, reference] += 1
            found[job][reference] += 1
            counts[job, f"outcome:{outcome}"] += 1
            ours = self.outcomes.get((job, reference), set())
            assert outcome in ours | {Outcome.INVALID, Outcome.ABORTED, Outcome.EXPIRED}
        assert max(results.values(), default=1) == 1

    async def _look_into_job(self, job, found, counts):
        own = f"cancellist:job:{job}"
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hexists(own, "rest")
            for name in ("canary", "calls", "reads", "invalid"):
                pipe.lrange(f"{own}:{name}", 0, -1)
            for name in ("alone", "later"):
                pipe.hvals(f"{own}:{name}")
            waits, canary, calls, reads, invalid, alone, later = await pipe.execute()
        pieces = {"calls": canary, "rest": calls} if waits else {"calls": calls, "rest": canary}
        pieces |= {"reads": reads, "alone": alone, "later": later}
        for kind, texts in pieces.items():
            for text in texts:
                references = unpack_piece(text).references
                found.update(references)
                counts[job, kind] += len(references)
        for text in invalid:
            found[json.loads(text)["text"]] += 1
            counts[job, "invalid_left"] += 1

    async def _check_place(self, job, h):
        """A job stands in its queues where its priority and its deadline put it."""
        if h.get("deadline") == "1":  # `its_deadline_passes` has set it, and so it does not stand where 1 would put it
            return
        score = int(h["class"]) * 1e14 + min(int(h.get("deadline") or 5e13), 5e13)
        for kind in ("calls", "reads"):
            if f"{kind}_turn" in h:
                assert await self.redis.zscore(f"cancellist:account:default:{kind}", h[f"{kind}_turn"]) == score

    @staticmethod
    def _check_counters(job, h, counts):
        places = ("calls", "rest", "alone", "reads", "later", "claimed", "invalid_left")
        for name in places:
            assert int(h.get(name) or 0) == counts[job, name], (job, name, h)
        written = {k: int(v) for k, v in h.items() if k.startswith("outcome:")}
        assert written == {k: n for (j, k), n in counts.items() if j == job and k.startswith("outcome:")}
        left = sum(counts[job, name] for name in places)
        assert left + sum(written.values()) == int(h["total"])
        assert (h["state"] in {"completed", "aborted"}) == (left == 0), h
        runnable = h["state"] in {"queued", "running"}
        stands = "calls_turn" in h
        if h.get("deadline"):
            assert not stands or (runnable and counts[job, "calls"] > 0), h
        else:
            assert stands == (runnable and counts[job, "calls"] > 0), h
        return left

    async def _check_account(self, ready, unsettled):
        account = "cancellist:account:default"
        state = await self._hash(f"{account}:state")
        for kind in ("calls", "reads"):
            assert int(state.get(f"{kind}_ready") or 0) == ready[kind]
        reads_out = sum(held.kind == "reads" for held in self.claimed.values())
        assert int(state.get("reads_out") or 0) == reads_out
        assert int(await self.redis.hget("cancellist:totals", "unsettled") or 0) == unsettled
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.zcard(f"{account}:slots")
            pipe.zcard(f"{account}:claims")
            pipe.hvals(f"{account}:groups")
            for job in self.submitted:
                pipe.hkeys(f"cancellist:job:{job}:alone")
            slots, claimed, grouped, *alone = await pipe.execute()
        assert slots <= TERMS.limit
        assert claimed == len(self.claimed)
        pieces = [
            f"{job}/{field.decode()}" for job, fields in zip(self.submitted, alone, strict=True) for field in fields
        ]
        assert Counter(b" ".join(grouped).decode().split()) == Counter(pieces)
