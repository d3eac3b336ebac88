"""What one process counts: from nothing on, by closed words, and of events the bad ones alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry import Telemetry
from gateway.telemetry.log import EVENTS

GATEWAY = Path(__file__).parents[3] / "gateway"


def _told(telemetry: Telemetry) -> str:
    return telemetry.metrics()[0].decode()


def test_every_event_that_an_alert_could_wait_for_is_counted_from_nothing_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry()
    for name in EVENTS:
        assert f'gapura_events_total{{event="{name}"}} 0.0' in _told(telemetry)
    telemetry.event("gateway:stopped")
    telemetry.event("audit:forked", level="error", error="LogForked")
    told = _told(telemetry)
    assert 'gapura_events_total{event="gateway:stopped"} 0.0' in told
    assert 'gapura_events_total{event="audit:forked"} 1.0' in told
    assert '"event":"audit:forked"' in capfd.readouterr().err


def test_an_event_or_a_field_that_is_not_catalogued_cannot_be_logged() -> None:
    telemetry = Telemetry()
    with pytest.raises(KeyError):
        telemetry.event("person:found")
    with pytest.raises(ValueError, match="no field"):
        telemetry.event("gateway:stopped", nik="3578081203799980")


def test_an_answer_counts_its_people_and_what_it_kept_back() -> None:
    telemetry = Telemetry()
    telemetry.exchange_answered(
        exchange_id="x",
        consumer_id="bpjs-kesehatan",
        operation="eligibility",
        outcomes=["eligible", "unknown", "eligible"],
        withheld={"narrowed": 2},
        unavailable=["dukcapil_full_name"],
    )
    told = _told(telemetry)
    for line in (
        'gapura_outcomes_total{operation="eligibility",outcome="eligible"} 2.0',
        'gapura_outcomes_total{operation="eligibility",outcome="unknown"} 1.0',
        'gapura_withheld_fields_total{operation="eligibility",reason="narrowed"} 2.0',
        'gapura_unavailable_fields_total{field="dukcapil_full_name"} 1.0',
    ):
        assert f"\n{line}\n" in told


def test_what_looks_personal_is_blotted_out_of_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    Telemetry().event("source:not_reported", error="3578081203799980")
    said = capfd.readouterr().err
    assert "3578081203799980" not in said
    assert "[blotted]" in said


def _told_in_code() -> Iterator[tuple[str, str, set[str]]]:
    """Where an event is told by its name: file, event, fields."""
    for path in sorted(GATEWAY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.args[0], "value", "") if isinstance(node, ast.Call) and node.args else ""
            if isinstance(node, ast.Call) and re.fullmatch(r"[a-z]+:[a-z_]+", str(name)):
                fields = {keyword.arg for keyword in node.keywords if keyword.arg} - {"level"}
                yield str(path.relative_to(GATEWAY)), str(name), fields


def test_every_event_that_the_code_tells_is_in_the_catalogue_with_its_fields() -> None:
    told = list(_told_in_code())
    assert {"request:finished", "limits:alarm", "chore:failed"} <= {name for _, name, _ in told}
    assert [one for one in told if one[1] not in EVENTS or not one[2] <= {*EVENTS[one[1]]}] == []
