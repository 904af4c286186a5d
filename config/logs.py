"""Configures logging: structured lines to standard error, as console text or JSON."""

import atexit
import json
import logging
import os
import sys
from datetime import UTC, datetime

import structlog
from structlog.typing import EventDict, WrappedLogger

from cancellist.config.log_sink import LogSink
from cancellist.jobs.escaping import plain, plain_lines


def guard() -> LogSink:
    """Replaces standard error by a stream that never blocks or fails, until the process ends."""
    if isinstance(sys.stderr, LogSink):
        return sys.stderr
    sink = LogSink(_standard_error())
    sys.stderr = sink
    atexit.register(sink.drain)
    return sink


def _standard_error() -> int | None:
    """Returns the descriptor of standard error; None if it is closed."""
    try:
        number = sys.stderr.fileno()
        os.fstat(number)
    except (AttributeError, OSError, ValueError):  # there is no stream, or no open descriptor behind it
        return None
    return number


def configure(form: str, level: str) -> None:
    """Sends the lines of structlog and of the libraries to standard error in one format.

    Args:
        form: `json` or `console`.
        level: the least severe level that is shown.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        # not by the renderer, which would print local variables, and secrets in them
        structlog.processors.format_exc_info,
        _escape,
    ]
    renderer = _renderer(form)
    if isinstance(sys.stderr, LogSink):
        sys.stderr.lost = _lost_in_json if form == "json" else _lost
    threshold: int = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    _configure_libraries(formatter)


def _renderer(form: str) -> structlog.typing.Processor:
    """Returns what makes a line of an event."""
    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _configure_libraries(formatter: logging.Formatter) -> None:
    """Has the warnings of all libraries written through one handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for library in ("arq", "arq.worker", "aiohttp", "asyncio"):
        logger = logging.getLogger(library)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _lost(number: int) -> str:
    return f"{datetime.now(UTC).isoformat()} [warning  ] log lines were lost            number={number}"


def _lost_in_json(number: int) -> str:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": "log lines were lost", "number": number, "level": "warning", "at": at})


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escapes foreign text, which could colour a terminal or pretend to be a log line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = plain_lines(value).replace("\n", "\n  ") if name == "exception" else plain(value)
    return event
