"""Logs and metrics: the only module that writes either.

Events are catalogued below as `subject:action` with a fixed list of fields, so that what may be logged can
be read in one place. It MUST NOT write a body, header, identifier, name, token or query string. As a last
line, whatever still looks like a national id or a token is blotted out before a line is written.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO, cast

import orjson
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from connectors.transport.observed import SourceState

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
    "registry:values_unusable": ("field", "count"),
    "audit:not_integrated": ("error",),
    "limits:alarm": ("agreement_id", "pattern", "reached"),
    "chore:done": ("chore", "count"),
    "chore:failed": ("chore", "error"),
    "log:line": ("logger", "level", "message"),
}

_PHASE_NUMBERS = {"closed": 0.0, "half_open": 0.5, "open": 1.0}
_SOURCE_GAUGES = {
    "reachable": "1 if the source answered last, 0 if not.",
    "breaker_open": "0 closed, 0.5 half open, 1 open.",
    "latency_seconds": "Moving average of good answers, seconds.",
    "quota_left": "Calls left today, over all processes.",
}
_SOURCE_COUNTERS = {
    "questions": "Questions to the source.",
    "attempts": "What really went to the source.",
    "retries": "Attempts beyond the first.",
    "refused": "Questions that the breaker spared the source.",
    "coalesced": "Questions that shared another's answer.",
}

_LOOKS_PERSONAL = re.compile(
    r"(?<!\d)\d{16}(?!\d)|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|v\d+\.[a-z0-9-]+\.[\w-]{40,}|gpr_[\w-]{20,}"
)
_BLOT = "[blotted]"
_FIELDS = {name: frozenset(fields) for name, fields in EVENTS.items()}
_LEVELS = logging.getLevelNamesMapping()
_SERIES_KEPT = 4096


class _StandardError:
    """What standard error is when a line is written: it may be another than when the log was opened."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Telemetry:
    """The log and the metrics of one process."""

    def __init__(self, level: str = "INFO") -> None:
        structlog.configure(
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
                _line,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
            logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
            cache_logger_on_first_use=False,
        )
        self._log = structlog.get_logger().bind()
        _route_other_loggers(self)
        self._metrics = CollectorRegistry()
        self._requests = Counter(
            "gapura_requests", "HTTP requests.", ["method", "route", "status"], registry=self._metrics
        )
        self._seconds = Histogram(
            "gapura_request_seconds", "Time to answer, seconds.", ["route"], registry=self._metrics
        )
        self._outcomes = Counter(
            "gapura_outcomes", "Subjects by outcome.", ["operation", "outcome"], registry=self._metrics
        )
        self._refusals = Counter(
            "gapura_refusals", "Exchanges refused, by reason.", ["reason"], registry=self._metrics
        )

        self._source_gauges = {
            name: Gauge(
                f"gapura_source_{name}",
                words,
                ["source"],
                registry=self._metrics,
                multiprocess_mode="mostrecent",
            )
            for name, words in _SOURCE_GAUGES.items()
        }
        self._source_counters = {
            name: Counter(f"gapura_source_{name}", words, ["source"], registry=self._metrics)
            for name, words in _SOURCE_COUNTERS.items()
        }
        self._source_totals: dict[tuple[str, str], int] = {}
        # Finding a series by its labels costs more than counting in it. Labels come from closed lists.
        self._counted = lru_cache(maxsize=_SERIES_KEPT)(self._requests.labels)
        self._timed = lru_cache(maxsize=_SERIES_KEPT)(self._seconds.labels)
        self._ended = lru_cache(maxsize=_SERIES_KEPT)(self._outcomes.labels)

    def source_seen(self, state: SourceState, quota_left: int | None) -> None:
        """Bring the metrics of one source up to what this process knows of it."""
        gauges = {
            "reachable": None if state.reachable is None else int(state.reachable),
            "breaker_open": _PHASE_NUMBERS[state.breaker],
            "latency_seconds": state.latency_s,
            "quota_left": quota_left,
        }
        for name, number in gauges.items():
            if number is not None:
                self._source_gauges[name].labels(state.name).set(number)
        for name, counter in self._source_counters.items():
            total = getattr(state, name)
            counter.labels(state.name).inc(total - self._source_totals.get((state.name, name), 0))
            self._source_totals[state.name, name] = total

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """Write one catalogued event; an unknown event or field is a programming error and raises."""
        if not fields.keys() <= _FIELDS[name]:
            raise ValueError(f"event {name} has no field {sorted(fields.keys() - _FIELDS[name])}")
        self._log.log(_LEVELS[level.upper()], name, **fields)

    def request_finished(
        self,
        *,
        request_id: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        consumer_id: str | None,
    ) -> None:
        """Count and log one HTTP request; `route` is the template, never the path that was asked."""
        self._counted(method, route, str(status)).inc()
        self._timed(route).observe(seconds)
        self.event(
            "request:finished",
            request_id=request_id,
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            consumer_id=consumer_id,
        )

    def request_failed(self, error: BaseException, *, request_id: str, method: str, route: str) -> None:
        """Log an unforeseen error by type and place: its text may quote a person."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        self.event(
            "request:failed",
            level="error",
            request_id=request_id,
            method=method,
            route=route,
            error=type(error).__qualname__,
            where=where,
        )

    def exchange_answered(
        self, *, exchange_id: str, consumer_id: str, operation: str, outcomes: Sequence[str]
    ) -> None:
        """Count what was answered and log that it was."""
        for outcome in set(outcomes):
            self._ended(operation, outcome).inc(outcomes.count(outcome))
        self.event(
            "exchange:answered",
            exchange_id=exchange_id,
            consumer_id=consumer_id,
            operation=operation,
            subjects=len(outcomes),
        )

    def exchange_refused(self, *, exchange_id: str, consumer_id: str, operation: str, reason: str) -> None:
        """Count and log a refusal by agreement."""
        self._refusals.labels(reason).inc()
        self.event(
            "exchange:refused",
            exchange_id=exchange_id,
            consumer_id=consumer_id,
            operation=operation,
            reason=reason,
        )

    def metrics(self) -> tuple[bytes, str]:
        """Everything counted, over all workers where several serve; and its content type."""
        registry = self._metrics
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # untyped upstream
        return generate_latest(registry), CONTENT_TYPE_LATEST


def _line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    """The event as JSON, with what looks like a national id, a token or a pseudonym blotted out of its texts.

    The line is searched as a whole first: as good as always there is nothing, and a request writes two.
    """
    line = orjson.dumps(event, default=str).decode()
    if _LOOKS_PERSONAL.search(line) is None:
        return line
    return orjson.dumps({key: _blotted(value) for key, value in event.items()}, default=str).decode()


def _blotted(value: Any) -> Any:
    if isinstance(value, str):
        return _LOOKS_PERSONAL.sub(_BLOT, value)
    if isinstance(value, list | tuple):
        return [_blotted(item) for item in value]
    return value


def _route_other_loggers(telemetry: Telemetry) -> None:
    """Send what libraries log through the same door: message only, no traceback, no values."""

    class Through(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            telemetry.event(
                "log:line",
                level=record.levelname,
                logger=record.name,
                # Arguments are where values hide; the bare template says enough.
                message=str(record.msg),
            )

    root = logging.getLogger()
    root.handlers = [Through()]
    root.setLevel(logging.WARNING)
