"""Logging: few lines, structured, to standard error; console on a terminal, JSON elsewhere."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from jobs.printable import plain, plain_lines


def configure(form: str, level: str) -> None:
    """Sends structlog's lines, and those of the libraries, to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        # here, not in the renderer: that would print local variables, and with them secrets
        structlog.processors.format_exc_info,
        _escape,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    threshold: int = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for library in ("arq", "arq.worker", "aiohttp", "asyncio"):
        logger = logging.getLogger(library)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escapes foreign text, which may colour a terminal or pass for a line of its own."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = plain_lines(value).replace("\n", "\n  ") if name == "exception" else plain(value)
    return event
