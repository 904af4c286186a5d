"""The names of the keys; `lua/shared/keys.lua` describes their content."""

from functools import lru_cache

DEFAULT_NAMESPACE = "cancellist"
GROUP = "cancellist"
"""The consumer group of workers at the intake stream."""


class Keys:
    """The keys of one namespace, as bytes ready to send."""

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.namespace = namespace
        self.prefix = f"{namespace}:"
        self.format = f"{namespace}:format"
        self.intake = f"{namespace}:intake"
        self.rejected = f"{namespace}:intake:rejected"
        self.results = f"{namespace}:results"
        self.jobs = f"{namespace}:jobs"
        self.open = f"{namespace}:open"
        self.finished = f"{namespace}:finished"
        self.totals = f"{namespace}:totals"
        self.workers = f"{namespace}:workers"
        self.accounts = f"{namespace}:accounts"
        self.served = f"{namespace}:served"
        self.wake = f"{namespace}:wake"
        self.webhooks = f"{namespace}:webhooks"
        self.ended = f"{namespace}:ended"
        self.plans = f"{namespace}:plans"
        self.receipts = f"{namespace}:receipts"
        self.receipts_head = f"{namespace}:receipts:head"
        self.receipts_order = f"{namespace}:receipts:order"
        self.audit = f"{namespace}:audit"
        self.drain_queue = f"{namespace}:drains"
        self.of_account = lru_cache(maxsize=1024)(self._of_account)

    def job(self, job: str) -> str:
        """The hash of a job."""
        return f"{self.namespace}:job:{job}"

    def runs(self, job: str) -> str:
        """The index of a job's results: a list of "first-id last-id"."""
        return f"{self.namespace}:job:{job}:runs"

    def replies(self, name: str) -> str:
        """The answers to intake entries that ask for them under this name."""
        return f"{self.namespace}:replies:{name}"

    def state(self, account: str) -> str:
        """The account's gate, counters and clocks."""
        return f"{self.namespace}:account:{account}:state"

    def words(self, account: str) -> str:
        """What reads found behind the account's refusal texts."""
        return f"{self.namespace}:account:{account}:words"

    def trouble(self, account: str) -> str:
        """Calls of the account that did not simply succeed."""
        return f"{self.namespace}:account:{account}:trouble"

    def slots(self, account: str) -> str:
        """The account's calls in flight."""
        return f"{self.namespace}:account:{account}:slots"

    def claimed(self, account: str) -> str:
        """The account's claims, in flight or staged."""
        return f"{self.namespace}:account:{account}:claimed"

    def later(self, account: str) -> str:
        """The account's pieces that wait for their time."""
        return f"{self.namespace}:account:{account}:later"

    def drains(self, account: str) -> str:
        """The account's live drains."""
        return f"{self.namespace}:account:{account}:drains"

    def approvals(self, account: str) -> str:
        """The account's jobs that wait for approval."""
        return f"{self.namespace}:account:{account}:approvals"

    def reinstated(self, account: str) -> str:
        """The account's consignments that were reinstated, or may have been."""
        return f"{self.namespace}:account:{account}:reinstated"

    def plan(self, name: str) -> str:
        """A plan, by the digest of its token."""
        return f"{self.namespace}:plan:{name}"

    def webhook(self, endpoint: str, part: str = "") -> str:
        """The hash of an endpoint of webhooks, or a part of it: due, log, deliveries, bodies."""
        return f"{self.namespace}:webhook:{endpoint}{part and ':'}{part}"

    def _of_account(self, account: str) -> tuple[bytes, ...]:
        """The fixed keys in the order in which every script declares them."""
        common = ("results", "jobs", "open", "finished", "totals", "workers", "accounts", "intake", "intake:rejected")
        own = (
            "state", "calls", "reads", "later", "claims", "claimed", "slots", "drains", "held", "deadlines", "unsealed",
            "slices",
            "alone",
            "groups",
            "words",
            "trouble",
            "flow",
        )  # fmt: skip
        names = [f"{self.namespace}:{name}" for name in common]
        names += [f"{self.namespace}:account:{account}:{name}" for name in own]
        names += [self.served, self.webhooks, self.ended, self.approvals(account)]
        return tuple(name.encode() for name in names)
