"""Structured logs: JSON lines on standard output.

A log line carries ids, counts and codes. Bodies, tokens and personal data have no place in one: values under
the field names of such things are withheld, and of an exception that is not ours only its type and place are
written, because its text may repeat what a person or a database said.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from opentelemetry import trace

from libs.kernel.errors import SetlistError

_FORBIDDEN = frozenset(
    {"token", "authorization", "password", "secret", "body", "email", "name", "subject_value"}
)
_FRAMES = 12
"""Innermost frames that are written of a traceback."""


def _withheld(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: "(withheld)" if k in _FORBIDDEN else _withheld(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_withheld(one) for one in value]
    return value


def _without_secrets(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return cast("structlog.typing.EventDict", _withheld(event))


def _with_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def describe(error: BaseException) -> list[dict[str, object]]:
    """Return an exception and its causes, outermost first: type and frames, the text only of our own errors."""
    told: list[dict[str, object]] = []
    now: BaseException | None = error
    while now is not None and len(told) < 5:
        frames = traceback.extract_tb(now.__traceback__)[-_FRAMES:]
        one: dict[str, object] = {
            "type": f"{type(now).__module__}.{type(now).__qualname__}",
            "frames": [f"{f.filename}:{f.lineno} {f.name}" for f in frames],
        }
        if isinstance(now, SetlistError):
            one["message"] = now.message
        told.append(one)
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    return told


def _with_exception(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["exception"] = describe(error)
    return event


class _JsonFormatter(logging.Formatter):
    """Lines of other libraries (warnings and errors), in the same form."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "service": self._service,
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line, default=repr)


def configure_logs(service: str, level: str = "info") -> None:
    """Send this process's logs to standard output as JSON lines.

    Args:
        service: stands in every line.
        level: least level that is printed: debug, info, warning or error.
    """
    number = cast("int", getattr(logging, level.upper()))
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter(service))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)

    def with_service(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            with_service,
            _with_trace,
            _with_exception,
            _without_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )


def get_logger() -> Any:
    """Return a logger with methods debug, info, warning, error: `log.info("event", key=value)`."""
    return structlog.get_logger()
