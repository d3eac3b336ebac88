"""Traces as a collector gets them from a gateway that asks a source: what they say, and what never."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway.database import Database
from gateway.registry.personas import persona
from gateway.sources.training import Training, training, training_people
from gateway.spans import SPANS
from tests.conftest import empty_postgres_database
from tests.gateway.telemetry.collector import Collector, attributes, collecting
from tests.living import LivingGateway, stocked_gateway

ELIGIBILITY = {
    "purpose": "pbi-jk-eligibility",
    "programme": "PBI-JK",
    "subjects": [{"ref": "1", "nik": persona("eligible").nik}],
}
IDENTITY = {"purpose": "identity-check", "subjects": [{"ref": "1", "nik": persona("eligible").nik}]}
PARENT = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@contextmanager
def _sent_at_once() -> Iterator[None]:
    """Spans leave in tenths of a second, not in fives, from the processes that begin meanwhile."""
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "100"
    try:
        yield
    finally:
        del os.environ["OTEL_BSP_SCHEDULE_DELAY"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


@pytest.fixture(scope="module")
def served(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[tuple[LivingGateway, Training]]:
    """A gateway on PostgreSQL with simulated sources, of which every request is traced."""
    home = tmp_path_factory.mktemp("home")
    wanted = {"otlp_endpoint": collector.endpoint, "otlp_share_percent": 100}
    with (
        empty_postgres_database(postgres_server) as url,
        stocked_gateway(home, url, **wanted) as gateway,
    ):
        database = Database(gateway.settings.effective_database_url)
        people = training_people(database, 5)
        database.close()
        with training(people, home) as simulators, _sent_at_once():
            gateway.start()
            yield gateway, simulators


@pytest.fixture
def traced(served: tuple[LivingGateway, Training]) -> LivingGateway:
    return served[0]


@pytest.fixture(autouse=True)
def _of_this_test(collector: Collector) -> None:
    """Forget what came before: whoever waits, waits for a new one."""
    collector.requests.clear()


def _ask(gateway: LivingGateway, consumer: str, path: str, body: object, **headers: str) -> httpx.Response:
    client = gateway.client(consumer)
    before = dict(client._http.headers)
    client._http.headers.update(headers)
    try:
        return client.post(path, body)
    finally:
        client._http.headers = httpx.Headers(before)


def test_a_request_is_told_step_by_step_as_the_exchange_goes(
    traced: LivingGateway, collector: Collector
) -> None:
    assert traced.post("bpjs-kesehatan", "/v1/eligibility", ELIGIBILITY).status_code == 200
    spans = collector.trace("POST /v1/eligibility")
    (root,) = spans["POST /v1/eligibility"]
    steps = [spans[name][0] for name in ("admit", "decide", "limit", "registry", "judge", "evidence")]
    assert [step.start_time_unix_nano for step in steps] == sorted(
        step.start_time_unix_nano for step in steps
    )
    assert {step.parent_span_id for step in steps} == {root.span_id}
    assert attributes(spans["evidence"][-1]) == {"gapura.kind": "outcome"}
    said = attributes(root)
    assert said["http.route"] == "/v1/eligibility"
    assert said["http.response.status_code"] == 200
    assert said["gapura.consumer_id"] == "bpjs-kesehatan"
    within = {step.span_id for step in steps}
    to = {attributes(trip)["gapura.to"]: trip.parent_span_id in within for trip in spans["trip"]}
    # Beside them there may be others, of what is read once and then kept.
    assert {name: to.get(name) for name in ("admission", "limits", "dtks", "audit")} == {
        "admission": True,
        "limits": True,
        "dtks": True,
        "audit": True,
    }


def test_a_question_to_a_source_is_told_with_each_attempt(
    traced: LivingGateway, collector: Collector
) -> None:
    answer = traced.post("dinsos-jatim", "/v1/records", IDENTITY)
    assert answer.status_code == 200, answer.text
    spans = collector.trace("POST /v1/records")
    said = [attributes(one) for one in spans["source"]]
    source = spans["source"][said.index({"gapura.source": "dukcapil", "gapura.subjects": 1})]
    (attempt,) = [one for one in spans["attempt"] if attributes(one) == {"gapura.source": "dukcapil"}]
    assert attempt.parent_span_id == source.span_id
    # The intent is on disk before the source is asked.
    intent, outcome = spans["evidence"]
    assert (attributes(intent)["gapura.kind"], attributes(outcome)["gapura.kind"]) == ("intent", "outcome")
    assert intent.end_time_unix_nano <= source.start_time_unix_nano


def test_every_span_and_attribute_is_one_of_the_catalogue(
    traced: LivingGateway, collector: Collector
) -> None:
    traced.post("bpjs-kesehatan", "/v1/eligibility", ELIGIBILITY)
    collector.trace("POST /v1/eligibility")
    conventional = {"http.request.method", "http.route", "http.response.status_code"}
    for span in collector.spans:
        said = {name.removeprefix("gapura.") for name in attributes(span)}
        if re.fullmatch(r"[A-Z]+ (/\S*|unmatched)", span.name):
            assert said <= SPANS["request"] | conventional
        else:
            assert said <= SPANS[span.name]


def test_a_callers_trace_goes_on_here(traced: LivingGateway, collector: Collector) -> None:
    trace_id, parent_id = PARENT
    _ask(
        traced,
        "bpjs-kesehatan",
        "/v1/eligibility",
        ELIGIBILITY,
        traceparent=f"00-{trace_id}-{parent_id}-00",
        tracestate="vendor=SITI-CONTOH",
    )
    (root,) = collector.trace("POST /v1/eligibility")["POST /v1/eligibility"]
    # Its wish not to be traced counts for nothing, and what else it carries is not kept.
    assert (root.trace_id.hex(), root.parent_span_id.hex(), root.trace_state) == (trace_id, parent_id, "")


@pytest.mark.parametrize(
    "unusable",
    [
        f"00-{'0' * 16}{persona('eligible').nik}-{PARENT[1]}-01",
        f"00-{PARENT[0]}-{persona('eligible').nik}-01",
        f"00-{PARENT[0]}-{'0' * 16}-01",
        "not a traceparent",
        persona("eligible").nik,
    ],
    ids=["a NIK in the trace's id", "a NIK in the parent's id", "nobody", "malformed", "a NIK"],
)
def test_a_callers_trace_that_could_name_a_person_is_not_taken_over(
    traced: LivingGateway, collector: Collector, unusable: str
) -> None:
    route = "GET /health/live"
    seen = len([span for span in collector.spans if span.name == route])
    traced.http.get(f"{traced.url}/health/live", headers={"traceparent": unusable})
    until = time.monotonic() + 60
    while len(found := [span for span in collector.spans if span.name == route]) == seen:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert found[-1].parent_span_id == b""
    assert found[-1].trace_id.hex() != PARENT[0]
    assert persona("eligible").nik not in collector.text


def test_a_refusal_and_an_unknown_address_say_no_more_than_their_route_and_status(
    traced: LivingGateway, collector: Collector
) -> None:
    traced.http.get(f"{traced.url}/people/{persona('eligible').nik}?name=SITI")
    (root,) = collector.trace("GET unmatched")["GET unmatched"]
    said = attributes(root)
    assert said.pop("gapura.request_id")
    assert said == {"http.request.method": "GET", "http.route": "unmatched", "http.response.status_code": 404}


def test_what_is_withheld_and_what_no_source_could_say_is_counted(
    served: tuple[LivingGateway, Training],
) -> None:
    gateway, simulators = served
    asked = {**ELIGIBILITY, "fields": ["region", "full_name", "mother_name", persona("eligible").nik]}
    assert gateway.post("bpjs-kesehatan", "/v1/eligibility", asked).status_code == 200
    simulators.stop("dukcapil")
    # Somebody of whom nothing is remembered.
    stranger = {**IDENTITY, "subjects": [{"ref": "1", "nik": persona("pkh_member").nik}]}
    assert gateway.post("dinsos-jatim", "/v1/records", stranger).status_code == 200
    metrics = gateway.http.get(f"{gateway.url}/metrics").text
    for reason in ("dropped_by_agreement", "unknown_field"):
        assert re.search(
            rf'^gapura_withheld_fields_total{{operation="eligibility",reason="{reason}"}} [1-9]',
            metrics,
            re.MULTILINE,
        )
    assert re.search(
        r'^gapura_unavailable_fields_total{field="dukcapil_full_name"} [1-9]', metrics, re.MULTILINE
    )
    assert re.search(
        r'^gapura_source_failures_total{kind="\w+",source="dukcapil"} [1-9]', metrics, re.MULTILINE
    )
    assert persona("eligible").nik not in metrics


def test_exchanges_go_on_when_the_collector_is_gone(traced: LivingGateway, collector: Collector) -> None:
    collector.stop()
    until = time.monotonic() + 60
    while "opentelemetry.exporter" not in traced.log:
        assert traced.post("bpjs-kesehatan", "/v1/eligibility", ELIGIBILITY).status_code == 200
        assert time.monotonic() < until
    assert traced.post("bpjs-kesehatan", "/v1/eligibility", ELIGIBILITY).status_code == 200
    assert "request:failed" not in traced.log
