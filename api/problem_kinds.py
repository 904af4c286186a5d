"""The kinds of problems, and what each means; docs/reference/problems.md has the same text.

Here are those that a request has: another request may be met. Those of the server are in api/server_problems.py.
"""

from typing import Final

from cancellist.api.problem_kind import Kind
from cancellist.api.server_problems import OF_THE_SERVER

_OF_REQUESTS: Final = (
    Kind(
        "malformed_http",
        400,
        "the request is no HTTP",
        "The head or the framing of the request is malformed, or its head has more than 64 KiB: nobody knows what is "
        "asked. Nothing was done, and the connection is closed.",
        "see that the client speaks HTTP/1.1, has one Content-Length, and sends a head of less than 64 KiB",
    ),
    Kind(
        "unauthorized",
        401,
        "no token that is known",
        "The request brings no token, or one that is not among CANCELLIST_API_TOKENS. Nothing was done. Send "
        "`Authorization: Bearer TOKEN`; `cancellist token` makes one. What another site has a browser send "
        "counts for nobody who has signed in there.",
        "send Authorization: Bearer TOKEN; `cancellist token` makes one",
    ),
    Kind(
        "forbidden",
        403,
        "the role for this is missing",
        "The token is known, but has not the role that the route asks for, which `detail` names. Nothing was done. Use "
        "another token, or have the role added in CANCELLIST_API_TOKENS.",
    ),
    Kind(
        "cross_origin",
        403,
        "another site has sent this",
        "Signing in and out take only what the page of this server sends, as Sec-Fetch-Site or Origin tells. Nothing "
        "was done. Behind a proxy that changes Host, have it send X-Forwarded-Host, and name it in "
        "CANCELLIST_SERVE_TRUSTED_PROXIES.",
        "open /sign-in and sign in there",
    ),
    Kind(
        "not_found",
        404,
        "there is nothing at this address",
        "No route has this path, or the path names an account that there is none of. `/docs` lists the routes, and "
        "`GET /v1/accounts` the accounts.",
        "/docs lists the routes",
    ),
    Kind(
        "unknown_job",
        404,
        "no job of that id",
        "The path names a job that there is none of. Ids are those that `POST /v1/jobs` answers. The record of an "
        "ended job is dropped after CANCELLIST_JOBS_KEEP.",
        "GET /v1/jobs lists those there are",
    ),
    Kind(
        "unknown_webhook",
        404,
        "no webhook, or no delivery, of that id",
        "The path or the body names a webhook that there is none of, or a delivery that its webhook no longer keeps: "
        "the last 1,000 are kept.",
        "GET /v1/webhooks lists those there are",
    ),
    Kind(
        "unknown_plan",
        404,
        "no plan of that token",
        "The path names a plan that was never made, or that has expired: a plan is kept for CANCELLIST_PLAN_KEEP.",
        "make a new plan with POST /v1/plans",
    ),
    Kind(
        "method_not_allowed",
        405,
        "the address does not take this method",
        "The path is right, the method is not. The header `Allow` names those that are.",
    ),
    Kind(
        "not_acceptable",
        406,
        "no form that is accepted can be given",
        "Results are given as `application/json`, `application/x-ndjson`, `text/csv` or, where pyarrow is installed "
        "beside `cancellist serve`, `application/vnd.apache.parquet`. The header `Accept` names none of them.",
        "send Accept: application/json, application/x-ndjson or text/csv",
    ),
    Kind(
        "request_timeout",
        408,
        "the body did not go on",
        "The body stopped, or fewer than 256 bytes of it came within CANCELLIST_SERVE_BODY_WAIT. Nothing was handed "
        "in, and the idempotency key is free. Send it again.",
        "send it again",
    ),
    Kind(
        "idempotency_in_progress",
        409,
        "a request with this idempotency key is under way",
        "Another request with the same `Idempotency-Key` is still sending its body. Nothing was done for this one. "
        "Send it again after `Retry-After`: by then the other has made its job, which is answered, or the key is free.",
        retry=True,
    ),
    Kind(
        "stale_plan",
        409,
        "the plan does not hold for this job",
        "The job is not what its plan was made of, the plan was used before, or it has expired; `detail` says which. "
        "Nothing was handed in. A plan holds once, for its account, for the platform that it was read from, and for "
        "the very references, in any order.",
        "make a new plan, and read it",
    ),
    Kind(
        "count_mismatch",
        409,
        "there are not as many references as expected",
        "There are more or fewer references than `expect_count` says, each counted once, without malformed entries; "
        "`detail` has both numbers. Nothing was handed in.",
        "see that it is the right input, or give the right number",
    ),
    Kind(
        "job_state",
        409,
        "the state of the job does not allow it",
        "A job that has ended cannot be paused, resumed or changed, and one that is completed cannot be aborted. A job "
        "that has not ended cannot be retried, and a deadline that has passed cannot be moved. `GET /v1/jobs/JOB` "
        "shows how it stands.",
    ),
    Kind(
        "approval_mismatch",
        409,
        "what is approved is not what waits",
        "The `count` or the `digest` is not that of the job, so nothing was approved. `approval` in the job's document "
        "has both. Look at the job again before you approve it.",
        "look at the job again",
    ),
    Kind(
        "retried_before",
        409,
        "the job was retried before in another way",
        "The same references of the job were handed in again before, as the job that `detail` names, with another "
        "reason or priority than the request asks for. Nothing was handed in. Without them the request is answered "
        "with that job; `PATCH` changes its priority.",
        "leave reason and priority out to be answered the job that there is",
    ),
    Kind(
        "new_host",
        409,
        "the platform's host was never called before",
        "The account's workers call a host that this installation has never called, and nobody has confirmed it. "
        "Nothing was handed in. If the host that `detail` names is the right one, send the request again with it as "
        "`host`, or confirm it by `POST /v1/accounts/{account}/resume?host=NAME`.",
        "if it is the right one, send its name as `host`",
    ),
    Kind(
        "stop_file",
        409,
        "a stop file keeps all accounts stopped",
        "A live worker sees its stop file (CANCELLIST_STOP_FILE), which `detail` names. All accounts stay stopped. "
        "Remove the file, and send the request again.",
    ),
    Kind(
        "results_gone",
        410,
        "the results are gone",
        "All results that were asked for were trimmed after CANCELLIST_RESULTS_KEEP. Where only some are, the others "
        "are answered, and the header `Cancellist-Results-Gone` has the number. A retry is refused where any result "
        "that it needs is gone; nothing was handed in.",
    ),
    Kind(
        "job_changed",
        412,
        "the job was changed since",
        "`If-Match` has an ETag from before a change of the job's priority or deadline. Nothing was done. Look at the "
        "job, and send the request again with its new ETag if you still want it.",
        "look at the job again",
    ),
    Kind(
        "body_too_large",
        413,
        "the body is too large",
        "The body has more bytes than CANCELLIST_SERVE_MAX_BODY, or, for a JSON object, CANCELLIST_SERVE_MAX_JSON; or "
        "it has more entries than CANCELLIST_SERVE_MAX_ROWS. Nothing was handed in. Send it in several parts, or a "
        "large JSON object as application/x-ndjson.",
    ),
    Kind(
        "unsupported_media_type",
        415,
        "a body of this type is not read",
        "A body is `application/json`, `text/csv`, `application/x-ndjson` or `text/plain`, as `Content-Type` says, and "
        "plain or gzip, as `Content-Encoding` says.",
        "send Content-Type: application/json, text/csv, application/x-ndjson or text/plain",
    ),
    Kind(
        "input",
        422,
        "the body cannot be used",
        "The body is not surely understood, holds too many malformed entries, or asks for times that cannot be met. "
        "Nothing was handed in. `detail` says what to mend.",
    ),
    Kind(
        "no_references",
        422,
        "the body holds no reference",
        "Not one entry of the body is a reference by the accepted pattern, or no reference of the job that is to be "
        "retried has one of the outcomes. Nothing was handed in.",
    ),
    Kind(
        "idempotency_conflict",
        422,
        "the idempotency key was used with other content",
        "The `Idempotency-Key` is bound to a job with other references, or another account, priority, reason or "
        "`requested_by`; `detail` names it. Nothing was handed in. Use a new key for new content.",
        "use a new key",
    ),
    Kind(
        "guard_refused",
        422,
        "a guard of the account refuses the job",
        "The job passes a most that the account has set (CANCELLIST_GUARD_MAX_REFERENCES, CANCELLIST_GUARD_MAX_PER_DAY "
        "or CANCELLIST_GUARD_MAX_SHARE); `detail` has the numbers. Nothing was handed in, and the idempotency key is "
        "free. Check the references. Who has the role approve can send it with `override` and a reason.",
        "check the references; with the role approve, send `override` and a reason",
    ),
    Kind(
        "validation",
        422,
        "a part of the request is malformed",
        "A parameter, a header or a field of the JSON object is unknown, repeated or malformed. `errors` names each. "
        "Nothing was done.",
    ),
    Kind(
        "too_many_requests",
        429,
        "too many requests of this caller",
        "The caller has made more requests than CANCELLIST_SERVE_RATE allows; or so many came from its address without "
        "a token; or so many wrong tokens did, and this one was not used from there before, be it right or wrong. "
        "Nothing was done. Send it again after `Retry-After` seconds.",
        retry=True,
    ),
    Kind(
        "no_webhook_key",
        409,
        "webhooks cannot be signed here",
        "CANCELLIST_WEBHOOK_KEY is not set for `cancellist serve`, of which the secrets of webhooks are made. Nothing "
        "was done. `openssl rand -base64 32` makes a key; set it for the workers, too.",
        "have CANCELLIST_WEBHOOK_KEY set for the server and the workers",
    ),
)

KINDS: Final = {kind.code: kind for kind in (*_OF_REQUESTS, *OF_THE_SERVER)}
"""Every kind by its code."""
