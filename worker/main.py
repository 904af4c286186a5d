"""The worker's entry point for arq: `arq cancellist.worker.main.WorkerSettings`, or `cancellist worker`."""
# ruff: noqa: E402 - the signal handler must be set before the slow imports

from cancellist.worker.process import start

start.hear_the_end()
start.keep_descriptors()

import asyncio
import sys
from typing import Any, ClassVar

from arq.worker import Function, func

from cancellist.jobs.ledger.drains import FUNCTION, deserialize, serialize
from cancellist.worker.process import entry_points
from cancellist.worker.service import Service

_UNLIMITED = 2**31


async def drain(ctx: dict[str, Any], account: str, name: str) -> int:
    """Drains an account; returns the number of calls."""
    service: Service = ctx["service"]
    return await service.drain(account, name)


class WorkerSettings:
    """arq's settings; everything else is in the settings of cancellist."""

    functions: ClassVar[list[Function]] = [
        func(drain, name=FUNCTION, keep_result=0, timeout=_UNLIMITED, max_tries=_UNLIMITED)
    ]
    queue_name = "cancellist:drains"
    max_jobs = 1000
    poll_delay = 1.0
    keep_result = 0
    max_tries = _UNLIMITED
    job_timeout = _UNLIMITED
    job_completion_wait = 3600
    health_check_interval = 10
    log_results = False
    job_serializer = staticmethod(serialize)
    job_deserializer = staticmethod(deserialize)


def _use_uvloop() -> None:
    """Makes uvloop's event loop the current one, which arq uses when it is created."""
    if sys.platform == "win32":
        return
    import uvloop  # noqa: PLC0415 - it does not exist on Windows

    asyncio.set_event_loop(uvloop.new_event_loop())


_use_uvloop()
entry_points.install()
