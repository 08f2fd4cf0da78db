"""Logs: JSON lines on standard error. The text to be spoken is never in them: its length is, and its key."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import msgspec


@cache
def _logger() -> Any:  # noqa: ANN401 - structlog's logger has no type of its own before it is bound
    import structlog  # noqa: PLC0415 - 70 ms that the first hit should not wait for

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # A third of the time of the standard library's, and a hit has a line of log, too.
            structlog.processors.JSONRenderer(serializer=lambda fields, **_: msgspec.json.encode(fields, enc_hook=str)),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger()


def load() -> None:
    """Import what writing takes; before, the first line does."""
    _logger()


def info(event: str, **fields: Any) -> None:  # noqa: ANN401 - a field is whatever there is to say
    _logger().info(event, **fields)


def warning(event: str, **fields: Any) -> None:  # noqa: ANN401 - see info
    _logger().warning(event, **fields)


def error(event: str, **fields: Any) -> None:  # noqa: ANN401 - see info; `exc_info` may be an exception
    _logger().error(event, **fields)
