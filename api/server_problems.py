"""The kinds of problems that this side has: the same request may be met later (500 and 503)."""

from typing import Final

from cancellist.api.problem_kind import Kind

OF_THE_SERVER: Final = (
    Kind(
        "internal",
        500,
        "this is a fault of cancellist",
        "Nobody foresaw this. The log of `cancellist serve` has the trace under the `request_id`; please report it. "
        "What was sent with an idempotency key can be sent again.",
    ),
    Kind(
        "ending",
        503,
        "this process ends",
        "`cancellist serve` was told to end while it answered, and the request has not ended in time. What was sent "
        "with an idempotency key can be sent again.",
        "send it again, with the same idempotency key",
        retry=True,
    ),
    Kind(
        "too_many_connections",
        503,
        "too many connections at once",
        "As many connections as CANCELLIST_SERVE_MAX_CONNECTIONS are open, and a request of a known caller is under "
        "way on each. Nothing was done, and this connection is closed. Send it again after `Retry-After` seconds.",
        retry=True,
    ),
    Kind(
        "too_many_bodies",
        503,
        "too many JSON objects at once",
        "The JSON objects that are being read take four times CANCELLIST_SERVE_MAX_JSON together. Nothing was handed "
        "in. Send it again after `Retry-After` seconds, or send NDJSON, which is not held in memory.",
        "send it again later, or as application/x-ndjson",
        retry=True,
    ),
    Kind(
        "index_behind",
        503,
        "the index of references is not up to date yet",
        "The stream has more new results than can be looked through within a second, as after a first start. Each "
        "request goes on where the one before has stopped, and so does `cancellist serve` by itself. Send it again "
        "after `Retry-After`.",
        retry=True,
    ),
    Kind(
        "error",
        503,
        "this machine cannot do it now",
        "Something on the machine of `cancellist serve` is missing, such as room on its disk. Its log says what. "
        "Nothing was handed in.",
        retry=True,
    ),
    Kind(
        "server",
        503,
        "the ledger does not take it",
        "The Redis server, or what is stored there, does not allow it; the log of `cancellist serve` says why. A "
        "submission was dropped: send it again.",
        "send it again",
        retry=True,
    ),
    Kind(
        "server_unavailable",
        503,
        "the ledger does not answer",
        "The Redis server cannot be reached. What was sent with an idempotency key can be sent again.",
        "send it again, with the same idempotency key",
        retry=True,
    ),
    Kind(
        "server_refused",
        503,
        "the ledger refuses cancellist",
        "The Redis server refuses the password, or a command. `cancellist doctor` on the machine of `cancellist serve` "
        "says which right is missing.",
        retry=True,
    ),
    Kind(
        "server_unfit",
        503,
        "the ledger cannot be used",
        "The Redis server evicts keys, is too old, or holds another format. `cancellist doctor` says what to mend.",
        retry=True,
    ),
    Kind(
        "server_full",
        503,
        "the ledger is full",
        "Taking this job would leave no room to finish those there are. Nothing was handed in. Send it again once jobs "
        "have ended, or give the Redis server more memory.",
        "send it again once jobs have ended",
        retry=True,
    ),
)
