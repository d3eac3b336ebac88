"""The admin API's contract against the running gateway, asked with an operator's token."""

from __future__ import annotations

from typing import Any

import requests
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.app import utc_now
from gateway.database import Database
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, ROLES
from gateway.staff.tokens import ApiTokens
from tests.gateway.test_contract import _operations
from tests.living import LivingGateway

OURS = "/admin/v1/"


class Token(requests.auth.AuthBase):
    """An API token with every role, on every request."""

    def __init__(self, gateway: LivingGateway) -> None:
        database = Database(gateway.settings.effective_database_url)
        accounts = StaffAccounts(database, utc_now, record_in_audit_log)
        tokens = ApiTokens(database, utc_now, record_in_audit_log)
        if all(account.id != "oni" for account in accounts.list()):
            accounts.add(INSTALLATION, id="oni", name="Oni", roles=frozenset(ROLES), reason="hired")
        _, self._secret = tokens.add(INSTALLATION, "oni", name="contract", roles=frozenset(ROLES), days=1)
        database.close()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret}"
        return request


def _probe(operation: Any, auth: requests.auth.AuthBase) -> None:
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def probe(case: Any) -> None:
        # What makes a password or an id acceptable is told in words: no schema can say it, so 400 may come.
        case.call_and_validate(auth=auth, excluded_checks=[positive_data_acceptance])

    probe()


def test_every_operation_of_staff_keeps_the_contract_towards_an_operator(gateway: LivingGateway) -> None:
    """Towards strangers too: `tests/gateway/test_contract.py`."""
    auth = Token(gateway)
    asked = 0
    for operation in _operations(gateway, with_security=False):
        if operation.path.startswith(OURS):
            _probe(operation, auth)
            asked += 1
    assert asked >= 60  # as many as there were when this was written, at least
    assert "Traceback" not in gateway.log
