"""Logs: JSON lines on standard error. The text to be spoken is never in them: its length is, and its key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import structlog

from shared import trace

if TYPE_CHECKING:
    from structlog.typing import EventDict


def configure() -> None:
    structlog.configure(
        processors=[
            _traced,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _traced(_: object, __: str, fields: EventDict) -> EventDict:
    """With the trace that the line belongs to, if it belongs to one."""
    if current := trace.current.get():
        fields["trace_id"] = current
    return fields


_LOGGER: Any = structlog.get_logger()


def info(event: str, **fields: Any) -> None:  # noqa: ANN401 - a field is whatever there is to say
    _LOGGER.info(event, **fields)


def warning(event: str, **fields: Any) -> None:  # noqa: ANN401 - see info
    _LOGGER.warning(event, **fields)


def error(event: str, **fields: Any) -> None:  # noqa: ANN401 - see info; `exc_info` may be an exception
    _LOGGER.error(event, **fields)
