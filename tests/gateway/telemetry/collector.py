"""A collector of traces: takes OTLP over HTTP as the protocol has it, and shows what came."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_PATIENCE_S = 60


@dataclass
class Collector:
    """What has come, at `endpoint`, until `stop`."""

    endpoint: str
    stop: Callable[[], None]
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def text(self) -> str:
        """Everything that came, as text, with ids and raw values in hexadecimal as well."""
        requests = list(self.requests)
        ids = [span.trace_id.hex() + " " + span.span_id.hex() for span in self.spans]
        raw = [request.SerializeToString().decode("latin-1") for request in requests]
        return "\n".join([*(MessageToJson(request) for request in requests), *ids, *raw])

    def trace(self, root: str) -> dict[str, list[Span]]:
        """The spans of the last trace whose request is called so, by name; waits until its end has come."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            spans = self.spans
            if ended := [span for span in spans if span.name == root]:
                return _by_name([span for span in spans if span.trace_id == ended[-1].trace_id])
            time.sleep(0.02)
        raise AssertionError(f"no span {root} came: {sorted({span.name for span in self.spans})}")


def attributes(span: Span) -> dict[str, object]:
    """What a span says of itself."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            good = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if good:
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if good else 400)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces", stop)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield collector
    finally:
        stop()


def _by_name(spans: list[Span]) -> dict[str, list[Span]]:
    named: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda one: one.start_time_unix_nano):
        named.setdefault(span.name, []).append(span)
    return named
