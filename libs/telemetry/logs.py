"""Structured logs: JSON lines on standard output.

A log line carries ids, counts and codes. Bodies, tokens and personal data have no place in one; the
processor below refuses the field names under which they would come.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, cast

import structlog
from opentelemetry import trace

_FORBIDDEN = frozenset(
    {"token", "authorization", "password", "secret", "body", "email", "name", "subject_value"}
)


def _without_secrets(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in _FORBIDDEN & event.keys():
        event[key] = "(withheld)"
    return event


def _with_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def configure_logs(service: str, level: str = "info") -> None:
    """Send this process's logs to standard output as JSON lines.

    Args:
        service: stands in every line.
        level: least level that is printed: debug, info, warning or error.
    """
    number = cast("int", getattr(logging, level.upper()))
    logging.basicConfig(
        level=max(number, logging.WARNING), stream=sys.stdout, format='{"event": "%(message)s"}'
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _with_trace,
            _without_secrets,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get_logger() -> Any:
    """Return a logger with methods debug, info, warning, error: `log.info("event", key=value)`."""
    return structlog.get_logger()
