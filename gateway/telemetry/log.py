"""The log of a process: one JSON line for each event, on standard error.

Events are catalogued below as `subject:action` with a fixed list of fields, so that what may be logged can
be read in one place. It MUST NOT write a body, header, identifier, name, token or query string. As a last
line, whatever still looks like a national id or a token is blotted out before a line is written.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO, cast

import orjson
import structlog

# event -> the fields it may carry
EVENTS = {
    "gateway:started": ("issuer", "database", "agreements", "programmes", "workers"),
    "gateway:stopped": (),
    "request:finished": ("request_id", "method", "route", "status", "duration_ms", "consumer_id"),
    "request:failed": ("request_id", "method", "route", "error", "where"),
    "exchange:answered": ("exchange_id", "consumer_id", "operation", "subjects"),
    "exchange:refused": ("exchange_id", "consumer_id", "operation", "reason"),
    "source:down": ("source", "breaker", "cause", "since"),
    "source:up": ("source", "after_s"),
    "source:quota_low": ("source", "day", "threshold", "calls_left"),
    "source:verdicts_not_kept": ("source", "count", "error"),
    "source:not_reported": ("error",),
    "reports:read_from": ("source", "why"),
    "registry:values_unusable": ("field", "count"),
    "audit:not_integrated": ("error",),
    "audit:forked": ("error",),
    "audit:entries_in_no_month": ("newest_month",),
    "limits:alarm": ("agreement_id", "pattern", "reached"),
    "vitals:not_read": ("part", "error"),
    "chore:done": ("chore", "count"),
    "chore:failed": ("chore", "error"),
    "maintenance:begun": ("until",),
    "maintenance:ended": (),
    "log:line": ("logger", "level", "message"),
}

_LOOKS_PERSONAL = re.compile(
    r"(?<!\d)\d{16}(?!\d)|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|v\d+\.[a-z0-9-]+\.[\w-]{40,}|gpr_[\w-]{20,}"
)
_BLOT = "[blotted]"
_FIELDS = {name: frozenset(fields) for name, fields in EVENTS.items()}
_LEVELS = logging.getLevelNamesMapping()


class _StandardError:
    """What standard error is when a line is written: it may be another than when the log was opened."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Log:
    """The log of one process. Opening it also takes over what libraries log."""

    def __init__(self, level: str) -> None:
        structlog.configure(
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
                _line,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
            cache_logger_on_first_use=False,
        )
        self._log = structlog.get_logger().bind()
        _route_other_loggers(self)

    def __call__(self, name: str, level: str = "info", **fields: Any) -> None:
        """Write one catalogued event; an unknown event or field is a programming error and raises."""
        if not fields.keys() <= _FIELDS[name]:
            raise ValueError(f"event {name} has no field {sorted(fields.keys() - _FIELDS[name])}")
        self._log.log(_LEVELS[level.upper()], name, **fields)


def places_of(error: BaseException) -> list[str]:
    """Where an error came from, innermost last: its text may quote a person, these cannot."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def blotted(value: Any) -> Any:
    """The value with what looks like a national id, a token or a pseudonym blotted out of its texts."""
    if isinstance(value, str):
        return _LOOKS_PERSONAL.sub(_BLOT, value)
    if isinstance(value, list | tuple):
        return [blotted(item) for item in value]
    return value


def _line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    """The event as JSON, blotted.

    The line is searched as a whole first: as good as always there is nothing, and a request writes two.
    """
    line = orjson.dumps(event, default=str).decode()
    if _LOOKS_PERSONAL.search(line) is None:
        return line
    return orjson.dumps({key: blotted(value) for key, value in event.items()}, default=str).decode()


def _route_other_loggers(log: Log) -> None:
    """Send what libraries log through the same door: message only, no traceback, no values."""

    class Through(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Arguments are where values hide; the bare template says enough.
            log("log:line", record.levelname, logger=record.name, message=str(record.msg))

    root = logging.getLogger()
    root.handlers = [Through()]
    root.setLevel(logging.WARNING)
