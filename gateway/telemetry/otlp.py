"""Traces as OpenTelemetry has them, sent by OTLP over HTTP. Imported only where an address is set for them.

What a span may be called and say is catalogued in `gateway.spans`. Which requests are traced is this
gateway's to decide, by its own share, whatever a caller's `traceparent` wishes; only its ids are taken over,
so that both sides speak of the same trace. `tracestate` may hold anything and is neither read nor passed on.
Spans leave on a thread of their own, from a queue that forgets when it is full: a collector that is slow or
gone MUST NOT be noticed by any request.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import cast

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation import get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from gateway.spans import Open, Said, check, rooted
from gateway.telemetry.log import blotted

_TRACEPARENT = "traceparent"
# Conventional names, where OpenTelemetry has them.
_NAMES = {"method": "http.request.method", "route": "http.route", "status": "http.response.status_code"}
_KINDS = {"request": SpanKind.SERVER, "attempt": SpanKind.CLIENT, "trip": SpanKind.CLIENT}
# A NIK fits into either id: what reads like one is no id, and the trace begins here.
_COULD_BE_A_NIK = re.compile(r"\d{16}")
_EXPORT_WITHIN_S = 5.0
_LAST_SPANS_WITHIN_S = 2.0
_LEAST_SERVER_ERROR = 500


class OtlpTracing:
    """Traces `share_percent` of the requests of this process to the OTLP endpoint (.../v1/traces)."""

    def __init__(self, endpoint: str, share_percent: float) -> None:
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(share_percent / 100),
            resource=Resource.create({"service.name": "gapura", "service.version": version("gapura")}),
            shutdown_on_exit=False,
        )
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_WITHIN_S)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("gapura")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, scope: Scope) -> Iterator[OtlpSpan | None]:
        """Trace an HTTP request for as long as the block lasts; None where it is not of the share."""
        began = self._tracer.start_span("request", self._caller(scope), SpanKind.SERVER)
        if not began.is_recording():
            yield None
            return
        opened = OtlpSpan(self._tracer, self._propagator, "request", began)
        try:
            with rooted(opened):
                yield opened
        finally:
            opened.end()

    def close(self) -> None:
        """Send what is left, for a moment at most: a collector that is gone must not hold up the end."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(_LAST_SPANS_WITHIN_S)
        if ending.is_alive():
            # What waits to be tried again is lost.
            self._exporter.shutdown()  # type: ignore[no-untyped-call] # untyped upstream

    def _caller(self, scope: Scope) -> Context:
        """The trace that the caller is in, if it says so in ids that cannot be anybody's number."""
        told = [value for name, value in scope["headers"] if name == b"traceparent"]
        if len(told) != 1:
            return Context()
        context = self._propagator.extract({_TRACEPARENT: told[0].decode("latin-1")}, Context())
        ids = get_current_span(context).get_span_context()
        if any(map(_COULD_BE_A_NIK.search, (f"{ids.trace_id:032x}", f"{ids.span_id:016x}"))):
            return Context()
        return context


class OtlpSpan:
    """A span that is open; see `gateway.spans.Open`."""

    def __init__(
        self, tracer: Tracer, propagator: TraceContextTextMapPropagator, name: str, began: Span
    ) -> None:
        self._tracer = tracer
        self._propagator = propagator
        self._name = name
        self._span = began

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(self._span, Context()))
        return carrier[_TRACEPARENT]

    def child(self, name: str, said: Mapping[str, Said], beside: Iterable[Open]) -> OtlpSpan:
        """A span within this one, linked to those beside."""
        others = [cast("OtlpSpan", one)._span.get_span_context() for one in beside]  # noqa: SLF001 - its own kind
        began = self._tracer.start_span(
            name,
            set_span_in_context(self._span, Context()),
            _KINDS.get(name, SpanKind.INTERNAL),
            _attributes(said),
            [Link(other) for other in others],
        )
        return OtlpSpan(self._tracer, self._propagator, name, began)

    def note(self, said: Mapping[str, Said]) -> None:
        """Say more of it. Raises ValueError for what the catalogue does not have."""
        check(self._name, said)
        self._span.set_attributes(_attributes(said))

    def answered(self, said: Mapping[str, Said]) -> None:
        """Say of a request how it ended: it is known by its route from now on."""
        self.note(said)
        self._span.update_name(f"{said['method']} {said['route']}")
        if int(said["status"]) >= _LEAST_SERVER_ERROR:
            self._span.set_status(Status(StatusCode.ERROR))

    def end(self, error: str | None = None) -> None:
        """It is over. Of an error no more than its type is told: its text may quote a person."""
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


def _attributes(said: Mapping[str, Said]) -> dict[str, Said]:
    return {_NAMES.get(name, f"gapura.{name}"): blotted(value) for name, value in said.items()}
