"""The HTTP API put together."""

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from cancellist.api import (
    accounts,
    approvals,
    consumers,
    docs_page,
    health,
    job_changes,
    jobs,
    plans,
    problems,
    receipts,
    references,
    results,
    stop,
)
from cancellist.api.context import Context
from cancellist.api.events import streams
from cancellist.api.facade import platform_calls
from cancellist.api.monitor import files, signing_in
from cancellist.api.serving import middleware
from cancellist.api.webhooks import endpoints

ROUTERS: Final = (
    jobs.router,
    job_changes.router,
    approvals.router,
    plans.router,
    streams.router,
    results.router,
    receipts.router,
    references.router,
    accounts.router,
    stop.router,
    consumers.router,
    platform_calls.router,
    endpoints.router,
    health.router,
    docs_page.router,
    signing_in.router,
    files.router,
)


def create_app(context: Context) -> ASGIApp:
    """The application for one process."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    problems.install(app)
    platform_calls.install(app)
    return middleware.wrapped(app, context)
