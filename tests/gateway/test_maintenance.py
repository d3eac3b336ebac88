"""Maintenance: who is told until when, what goes on, and that nothing opens by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import http_sf
import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from gateway.api.admin.maintenance import maintenance_router
from gateway.api.health import health_router
from gateway.api.maintenance import MaintenanceGate, passes
from gateway.console.announced import announced
from gateway.database import Database
from gateway.errors import BadInput
from gateway.maintenance.orders import Orders
from gateway.maintenance.standing import Standing
from gateway.maintenance.switch import FILE_NAME, lay_down, read_switch, take_away
from gateway.maintenance.window import Window, planned
from gateway.settings import load_settings
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION
from tests.gateway.staff.office import Clock, Office
from tests.living import LivingGateway

NOW = Clock().now
MAINTENANCE = "/admin/v1/maintenance"
LATER = NOW + timedelta(hours=2)
REASON = "CR-118"


class Closable(Office):
    """The office behind the gate, beside an exchange that answers anybody."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: list[tuple[bool, datetime | None]] = []
        self.orders = Orders(self.database, record_in_audit_log, self.clock)
        self.standing = Standing(self.orders, self.folder, self.clock, self._hear)

    def _hear(self, *, closed: bool, until: datetime | None) -> None:
        self.heard.append((closed, until))

    def app(self) -> Any:
        app: FastAPI = super().app()
        app.include_router(maintenance_router(self.orders, self.standing, self.desk.check, self.clock))
        app.include_router(health_router({"staying": _fine}, dict, None, None, self.standing))  # type: ignore[arg-type]
        for path in ("/v1/eligibility", "/oauth/token", "/log/cosignatures"):
            app.post(path)(lambda: JSONResponse({}))
        app.get("/v1/agreements")(lambda: JSONResponse({}))
        return MaintenanceGate(app, self.standing, self.clock)

    def order(self, **more: Any) -> None:
        self.orders.order(INSTALLATION, **{"begins_at": None, "until": LATER, "reason": REASON, **more})
        self.standing.renew()


async def _fine() -> None: ...


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Closable:
    return Closable(database, tmp_path)


def test_exchanges_are_told_until_when_and_when_to_ask_again(office: Closable) -> None:
    partner = office.browser()
    assert partner.post("/v1/eligibility").status_code == 200
    office.order()
    office.clock.move(minutes=30)
    said = partner.post("/v1/eligibility")
    assert (said.status_code, said.json()["code"]) == (503, "maintenance")
    assert said.headers["content-type"] == "application/problem+json"
    assert said.headers["retry-after"] == str(90 * 60)
    assert datetime.fromisoformat(said.json()["until"]) == LATER
    assert REASON not in said.text
    office.orders.end(INSTALLATION, "done")
    office.standing.renew()
    assert partner.post("/v1/eligibility").status_code == 200


def test_the_token_endpoint_says_it_in_the_shape_that_oauth_clients_read(office: Closable) -> None:
    office.order()
    said = office.browser().post("/oauth/token")
    assert (said.status_code, said.json()["error"]) == (503, "temporarily_unavailable")
    assert said.headers["retry-after"] == "7200"


def test_the_gate_stays_shut_when_it_takes_longer_than_partners_were_told(office: Closable) -> None:
    office.order()
    office.clock.move(hours=3)
    office.standing.renew()
    said = office.browser().post("/v1/eligibility")
    assert (said.status_code, said.headers["retry-after"]) == (503, "60")


def test_what_is_announced_is_told_on_every_answer_and_stops_nothing(office: Closable) -> None:
    office.order(begins_at=NOW + timedelta(hours=1))
    answer = office.browser().get("/v1/agreements")
    assert answer.status_code == 200
    told: Any = http_sf.parse(answer.headers["gapura-maintenance"].encode(), tltype="dictionary")
    assert [told[name][0] for name in ("from", "until")] == [NOW + timedelta(hours=1), LATER]
    shown = announced(answer.headers["gapura-maintenance"])
    assert shown is not None
    assert (shown.begins_at, shown.until) == (NOW + timedelta(hours=1), LATER)
    office.clock.move(hours=1)
    assert office.browser().get("/v1/agreements").status_code == 503


def test_staff_sign_in_and_read_but_change_nothing_but_the_order_itself(office: Closable) -> None:
    office.hire("oni", "operator")
    office.order()
    oni = office.signed_in("oni")
    assert oni.get("/admin/v1/staff").status_code == 200
    form = {"id": "budi", "name": "Budi", "roles": ["author"], "reason": "x"}
    assert oni.post("/admin/v1/staff", json=form).json()["code"] == "maintenance"
    assert oni.get(MAINTENANCE).json()["state"] == "closed"
    later = (LATER + timedelta(hours=1)).isoformat()
    assert oni.put(MAINTENANCE, json={"until": later, "reason": "takes longer"}).status_code == 200
    assert oni.post(f"{MAINTENANCE}/end", json={"reason": "done"}).json() == {
        "state": "open",
        **dict.fromkeys(["begins_at", "until", "reason", "ordered_by"]),
    }
    assert oni.post("/admin/v1/staff", json=form).status_code == 201
    assert [(act["actor"], act["act"]) for act in office.acts() if act["act"].startswith("maintenance.")] == [
        ("installation@console", "maintenance.ordered"),
        ("oni", "maintenance.ordered"),
        ("oni", "maintenance.ended"),
    ]


def test_only_operators_close_and_open(office: Closable) -> None:
    office.hire("udi", "auditor")
    udi = office.signed_in("udi")
    for method, path in (("PUT", MAINTENANCE), ("POST", f"{MAINTENANCE}/end")):
        form = {"reason": "x", **({"until": LATER.isoformat()} if method == "PUT" else {})}
        assert udi.request(method, path, json=form).json()["code"] == "role_missing"
    assert udi.get(MAINTENANCE).json()["state"] == "open"


def test_a_node_in_maintenance_is_alive_and_given_requests_to_refuse(office: Closable) -> None:
    office.order()
    http = office.browser()
    assert http.get("/health/live").json() == {"status": "live"}
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "maintenance")
    assert datetime.fromisoformat(ready.json()["maintenance"]["until"]) == LATER


def test_whatever_nobody_listed_is_closed_to_changes() -> None:
    assert not any(
        passes("POST", path) for path in ("/log/cosignatures", "/new/resource", "/", "/consolefoo")
    )
    assert not any(passes("GET", path) for path in ("/v1/agreements", "/v1/findings"))
    beside = ("/admin/v1/sessions", "/admin/v1/session/tokens", "/admin/v1/maintenance/x")
    assert not any(passes(method, path) for path in beside for method in ("POST", "DELETE", "WHATEVER"))
    assert all(passes("GET", path) for path in ("/health/live", "/log/checkpoint", "/docs", "/console"))
    assert all(
        passes("POST", path) for path in ("/console/sign-in", "/admin/v1/session", f"{MAINTENANCE}/end")
    )


def test_while_the_database_does_not_answer_the_last_order_stands_and_the_file_closes(
    tmp_path: Path, office: Closable
) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    standing = Standing(Orders(away, record_in_audit_log, office.clock), tmp_path, office.clock)
    standing.renew()
    assert standing.in_force is None
    lay_down(tmp_path, Window(NOW, LATER, 'says "why"', "file"))
    office.clock.now = datetime.now(UTC) + timedelta(seconds=1)  # a file is as old as the disk says
    standing.renew()
    assert standing.in_force is not None
    assert (standing.in_force.until, standing.in_force.reason) == (LATER, 'says "why"')
    assert take_away(tmp_path)
    standing.renew()
    assert standing.in_force is None
    office.order(begins_at=office.clock.now, until=office.clock.now + timedelta(hours=1))
    office.database.close()
    office.standing._orders = standing._orders
    office.standing.renew()
    assert office.standing.in_force is not None
    assert office.heard == [(True, office.clock.now + timedelta(hours=1))]


@pytest.mark.parametrize("text", ["", "not toml [", 'until = "tomorrow"', "until = 2026-12-01T02:00:00"])
def test_a_file_that_says_nothing_closes_without_an_end(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    window = read_switch(tmp_path)
    assert window is not None
    assert window.until is None
    assert window.in_force(datetime.now(UTC) + timedelta(seconds=1))
    assert window.retry_after_s(NOW) == 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": NOW},
        {"until": NOW - timedelta(hours=1)},
        {"until": LATER, "begins_at": LATER},
        {"until": NOW + timedelta(days=8)},
        {"until": LATER.replace(tzinfo=None)},
        {"reason": "  "},
    ],
    ids=str,
)
def test_a_window_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        planned(**{"begins_at": None, "until": LATER, "reason": "x", "ordered_by": "a", "now": NOW, **wrong})


def test_the_command_closes_says_how_it_stands_and_opens(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    settings = load_settings({"GAPURA_HOME": str(tmp_path), "GAPURA_DATABASE_URL": url})
    gateway = LivingGateway(settings, http=httpx.Client())
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="minutes")
    assert "No maintenance" in gateway.gapura("maintenance", "status")
    assert "CLOSED" in gateway.gapura("maintenance", "on", "--until", until, "--reason", REASON)
    assert "ordered by installation@console: CR-118" in gateway.gapura("maintenance", "status")
    gateway.gapura("maintenance", "on", "--until", until, "--reason", REASON, "--this-node")
    told = json.loads(gateway.gapura("maintenance", "status", "--format", "json"))
    assert told["database"]["in_force"]
    assert told["file"]["until"] == datetime.fromisoformat(until).isoformat()
    assert "This node does not" in gateway.gapura("maintenance", "off")
    assert "no maintenance" in gateway.gapura("maintenance", "off", status=2).lower()
    gateway.gapura("maintenance", "off", "--this-node")
    assert json.loads(gateway.gapura("maintenance", "status", "--format", "json")) == {
        "database": None,
        "file": None,
    }
    wrong = gateway.gapura("maintenance", "on", "--until", "tomorrow", "--reason", "x", status=2)
    assert "--until: expected a moment with its zone" in wrong
    gateway.http.close()
