"""The HTTP API put together."""

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from cancellist.api import (
    accounts,
    consumers,
    docs_page,
    events,
    health,
    jobs,
    lifecycle,
    middleware,
    platform_facade,
    problems,
    references,
    results,
    stop,
    webhooks,
)
from cancellist.api.context import Context

ROUTERS: Final = (
    jobs.router,
    lifecycle.router,
    events.router,
    results.router,
    references.router,
    accounts.router,
    stop.router,
    consumers.router,
    platform_facade.router,
    webhooks.router,
    health.router,
    docs_page.router,
)


def create_app(context: Context) -> ASGIApp:
    """The application for one process."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    problems.install(app)
    platform_facade.install(app)
    return middleware.wrapped(app, context)
