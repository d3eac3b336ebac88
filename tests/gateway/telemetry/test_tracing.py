"""Tracing in one process: what it costs when nobody listens, who is told, and a collector that is gone."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from connectors.transport.client import Transport
from connectors.transport.failures import ServerFault
from connectors.transport.settings import SourceSettings
from gateway import spans
from gateway.batching import NaturalBatch
from gateway.telemetry import Telemetry
from gateway.telemetry.otlp import OtlpTracing
from tests.gateway.telemetry.collector import Collector, attributes, collecting

SCOPE = {"type": "http", "method": "POST", "headers": []}
ANSWERED = {"method": "POST", "route": "/v1/eligibility", "status": 200}


@contextmanager
def _traced(collector: Collector, share_percent: float = 100) -> Iterator[OtlpTracing]:
    """Tracing whose spans have all left when the block ends."""
    tracing = OtlpTracing(collector.endpoint, share_percent)
    try:
        yield tracing
    finally:
        tracing.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


def test_telling_imports_nothing_of_opentelemetry_where_nothing_is_traced() -> None:
    asked = "import sys, gateway.telemetry; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert not [name for name in said.stdout.split() if name.startswith("opentelemetry")]


def test_a_step_of_a_request_that_is_not_traced_opens_nothing() -> None:
    with spans.span("judge", subjects=1) as opened:
        assert opened is None
        assert spans.present() == ()
        assert spans.traceparent() is None


def test_none_of_the_requests_is_traced_where_the_share_is_nothing(collector: Collector) -> None:
    with _traced(collector, 0) as tracing:
        for _ in range(20):
            with tracing.request(SCOPE) as request:
                assert request is None
                assert spans.present() == ()
    assert collector.spans == []


@pytest.mark.parametrize(("name", "said"), [("person", {}), ("judge", {"nik": "3578"})])
def test_what_the_catalogue_does_not_have_cannot_be_said(
    collector: Collector, name: str, said: dict[str, str]
) -> None:
    with (
        _traced(collector) as tracing,
        tracing.request(SCOPE),
        pytest.raises(ValueError, match="catalogue"),
        spans.span(name, **said),
    ):
        raise AssertionError


def test_an_error_is_told_by_its_type_alone(collector: Collector) -> None:
    with (
        _traced(collector) as tracing,
        tracing.request(SCOPE),
        pytest.raises(ValueError, match="SITI"),
        spans.span("judge", subjects=1),
    ):
        raise ValueError("SITI CONTOH 3578081203799980")
    (step,) = [span for span in collector.spans if span.name == "judge"]
    assert (step.status.message, step.events[:]) == ("ValueError", [])
    assert "SITI" not in collector.text


def test_what_looks_like_a_persons_number_is_blotted_out_even_where_it_may_be_said(
    collector: Collector,
) -> None:
    with (
        _traced(collector) as tracing,
        tracing.request(SCOPE),
        spans.span("source", source="3578081203799980", subjects=1),
    ):
        pass
    (step,) = [span for span in collector.spans if span.name == "source"]
    assert attributes(step)["gapura.source"] == "[blotted]"


async def test_a_trip_that_requests_share_belongs_to_the_first_and_is_linked_to_the_others(
    collector: Collector,
) -> None:
    async def run(items: object) -> list[int]:
        with spans.span("trip", to="test"):
            await asyncio.sleep(0)
        return [0] * len(list(items))  # type: ignore[call-overload]

    batch: NaturalBatch[int, int] = NaturalBatch(run)

    async def ask(tracing: OtlpTracing, number: int) -> None:
        with tracing.request(SCOPE) as request, spans.span("limit"):
            await batch(number)
            assert request is not None

    with _traced(collector) as tracing:
        await asyncio.gather(*(ask(tracing, number) for number in range(4)))
    waits = {span.span_id for span in collector.spans if span.name == "limit"}
    trips = [span for span in collector.spans if span.name == "trip"]
    served = [{trip.parent_span_id, *(link.span_id for link in trip.links)} for trip in trips]
    assert len(waits) == 4
    assert set().union(*served) == waits
    assert sum(map(len, served)) == 4


@contextmanager
def _source(status: int) -> Iterator[tuple[str, list[httpx.Headers]]]:
    """A source that answers with this status, and the header fields of each question to it."""
    heard: list[httpx.Headers] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(httpx.Headers(list(self.headers.items())))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("pass_trace", [False, True])
async def test_a_source_learns_of_the_trace_only_where_it_is_meant_to(
    collector: Collector, *, pass_trace: bool
) -> None:
    with _source(200) as (address, heard), _traced(collector) as tracing:
        telemetry = Telemetry(tracing=tracing)
        settings = SourceSettings(name="tetangga", base_url=address, pass_trace=pass_trace)
        with tracing.request(SCOPE):
            async with Transport(settings, watch=telemetry.attempt) as transport:
                await transport.send("GET", "/", deadline=asyncio.get_running_loop().time() + 30)
    (attempt,) = [span for span in collector.spans if span.name == "attempt"]
    named = f"00-{attempt.trace_id.hex()}-{attempt.span_id.hex()}-"
    assert heard[0].get("traceparent", "").startswith(named) is pass_trace
    assert ("traceparent" in heard[0]) is pass_trace
    assert "tracestate" not in heard[0]


async def test_attempts_at_a_source_are_counted_and_timed_by_how_they_ended() -> None:
    telemetry = Telemetry()
    with _source(500) as (address, _heard):
        settings = SourceSettings(name="tetangga", base_url=address, max_attempts=2, backoff_base_s=0.001)
        async with Transport(settings, watch=telemetry.attempt) as transport:
            with pytest.raises(ServerFault):
                await transport.send("GET", "/", deadline=asyncio.get_running_loop().time() + 30)
    metrics = telemetry.metrics()[0].decode()
    assert 'gapura_source_failures_total{kind="ServerFault",source="tetangga"} 2.0' in metrics
    assert 'gapura_source_seconds_count{source="tetangga"} 2.0' in metrics


def test_a_collector_that_says_nothing_is_not_noticed_by_any_request(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Telemetry()  # takes over what the exporter says
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        tracing = OtlpTracing(f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces", 100)
        began = time.perf_counter()
        for _ in range(1500):  # two spans each: more than the queue holds
            with tracing.request(SCOPE) as request, spans.span("judge", subjects=1):
                assert request is not None
                request.answered(ANSWERED)
        tracing.close()
        # Were one of them to wait for the collector, all of them would take hours.
        assert time.perf_counter() - began < 60
    # What the last attempt has to say is not to turn up in another test.
    for one in threading.enumerate():
        if one.name.startswith(("OtelBatch", "last spans")):
            one.join(60)
    assert "Traceback" not in capfd.readouterr().err
