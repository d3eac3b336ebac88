"""Everything that one process tells about itself: one object, given to whoever has something to tell."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from starlette.types import Scope

from connectors.transport.failures import SourceFailure
from connectors.transport.observed import SourceState
from gateway import spans
from gateway.telemetry.counted import Counted
from gateway.telemetry.log import Log, places_of
from gateway.telemetry.looked_up import LookedUp
from gateway.vitals.figures import Figure

if TYPE_CHECKING:  # OpenTelemetry is imported where somebody wants traces, and nowhere else
    from gateway.telemetry.otlp import OtlpSpan, OtlpTracing

_TOLD_ONLY = "info"
_UNTRACED: AbstractContextManager[None] = nullcontext()
_NOTHING_WITHHELD: Mapping[str, int] = MappingProxyType({})


class Telemetry:
    """The log, the metrics and the traces of one process. Without `tracing`, nothing is traced."""

    def __init__(self, level: str = "INFO", tracing: OtlpTracing | None = None) -> None:
        self._log = Log(level)
        self._counted = Counted()
        self._tracing = tracing

    def event(self, name: str, *, level: str = _TOLD_ONLY, **fields: Any) -> None:
        """Write one catalogued event; an unknown event or field is a programming error and raises."""
        self._log(name, level, **fields)
        if level != _TOLD_ONLY:
            self._counted.event(name)

    def tracing(self, scope: Scope) -> AbstractContextManager[OtlpSpan | None]:
        """Trace this HTTP request for as long as the block lasts, if requests are traced and this one is."""
        return _UNTRACED if self._tracing is None else self._tracing.request(scope)

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
        self._counted.request(method, route, status, seconds)
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
        self.event(
            "request:failed",
            level="error",
            request_id=request_id,
            method=method,
            route=route,
            error=type(error).__qualname__,
            where=places_of(error),
        )

    def exchange_answered(
        self,
        *,
        exchange_id: str,
        consumer_id: str,
        operation: str,
        outcomes: Sequence[str],
        withheld: Mapping[str, int] = _NOTHING_WITHHELD,
        unavailable: Iterable[str] = (),
    ) -> None:
        """Count what was answered and log that it was."""
        self._counted.answer(operation, outcomes, withheld, unavailable)
        self.event(
            "exchange:answered",
            exchange_id=exchange_id,
            consumer_id=consumer_id,
            operation=operation,
            subjects=len(outcomes),
        )

    def exchange_refused(self, *, exchange_id: str, consumer_id: str, operation: str, reason: str) -> None:
        """Count and log a refusal by agreement."""
        self._counted.refusal(reason)
        self.event(
            "exchange:refused",
            exchange_id=exchange_id,
            consumer_id=consumer_id,
            operation=operation,
            reason=reason,
        )

    def source_seen(self, state: SourceState, quota_left: int | None) -> None:
        """Bring the metrics of one source up to what this process knows of it."""
        self._counted.source(state, quota_left)

    @contextmanager
    def attempt(self, source: str) -> Iterator[Mapping[str, str]]:
        """Count and trace one attempt at a source; gives the header field by which it may go on tracing."""
        began, failure = time.perf_counter(), None
        with spans.span("attempt", source=source):
            try:
                named = spans.traceparent()
                yield {} if named is None else {"traceparent": named}
            except SourceFailure as problem:
                failure = type(problem).__name__
                spans.note(failure=failure)
                raise
            finally:
                self._counted.attempt(source, time.perf_counter() - began, failure)

    def metrics(self, looked_up: Iterable[Figure] = ()) -> tuple[bytes, str]:
        """Everything counted, over all workers where several serve, and what was looked up; and its type."""
        registry = CollectorRegistry()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # untyped upstream
        else:
            registry.register(self._counted.registry)
        registry.register(LookedUp(looked_up))
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Send what traces are left, for a moment at most."""
        if self._tracing is not None:
            self._tracing.close()
