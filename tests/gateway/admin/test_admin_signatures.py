"""Signed messages demanded through the admin API."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.signatures import SignatureMode, signature_router
from gateway.database import Database
from gateway.oauth.consumers import ConsumerStore
from gateway.oauth.jose import make_key_pair
from gateway.oauth.registration import Change
from gateway.staff.roles import INSTALLATION
from tests.gateway.staff.office import Office

ONE = "/admin/v1/consumers/ministry/signatures"


class Desk(Office):
    """The office with the switch on its desk."""

    def app(self) -> FastAPI:
        app = super().app()
        app.include_router(signature_router(self.database, self.desk.check, self.clock))
        return app


@pytest.fixture
def office(database: Database, tmp_path: Any) -> Desk:
    _, public = make_key_pair("ES256")
    ConsumerStore(database).register(
        INSTALLATION, id="ministry", name="M", sector="x", jwks={"keys": [public]}, reason="test"
    )
    opened = Desk(database, tmp_path)
    opened.hire("oni", "operator")
    opened.hire("ada", "auditor")
    return opened


def test_an_operator_demands_more_and_never_less(office: Desk) -> None:
    oni = office.signed_in("oni")
    assert oni.get(ONE).json() == {"mode": "off"}
    assert oni.put(ONE, json={"mode": "both", "reason": "PKS 12"}).json() == {"mode": "both"}
    assert oni.get(ONE).json() == {"mode": "both"}
    less = oni.put(ONE, json={"mode": "off", "reason": "PKS 12"})
    assert (less.status_code, less.json()["code"]) == (403, "second_person_needed")
    assert oni.get(ONE).json() == {"mode": "both"}


def test_who_makes_no_proofs_has_nothing_that_a_signature_could_be_bound_to(office: Desk) -> None:
    change = Change(certificate_bound=True)
    ConsumerStore(office.database).change(INSTALLATION, "ministry", change, "test")
    refused = office.signed_in("oni").put(ONE, json={"mode": "responses", "reason": "PKS 12"})
    assert (refused.status_code, refused.json()["code"]) == (409, "needs_dpop")


def test_an_auditor_sees_it_and_changes_nothing(office: Desk) -> None:
    ada = office.signed_in("ada")
    assert ada.get(ONE).status_code == 200
    assert ada.put(ONE, json={"mode": "both", "reason": "PKS 12"}).status_code == 403


def test_what_is_not_there_or_not_a_mode_is_told(office: Desk) -> None:
    oni = office.signed_in("oni")
    nobody = ONE.replace("ministry", "nobody")
    assert oni.get(nobody).status_code == 404
    assert oni.put(nobody, json={"mode": "both", "reason": "x"}).status_code == 404
    assert oni.put(ONE, json={"mode": "sometimes", "reason": "x"}).status_code == 422
    assert set(SignatureMode.model_fields) <= MEMBER_NAMES
