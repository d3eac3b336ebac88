"""Addresses that take forms alone, opened anew: they lead to the page above, and nothing else does."""

from __future__ import annotations

import pytest

from gateway.console.app import page_of_form


@pytest.mark.parametrize(
    ("opened", "read"),
    [
        ("/console/sources/dukcapil/test", "/console/sources/dukcapil"),
        ("/console/reconciliations/findings/7/answer", "/console/reconciliations/findings/7"),
        ("/console/reconciliations/rules/7/approve", "/console/reconciliations/rules"),
        ("/console/audit/incidents/7/told/subjects", "/console/audit/incidents/7"),
        ("/console/sign-out", "/console"),
    ],
)
def test_the_address_of_an_answered_form_leads_to_the_nearest_page_above(opened: str, read: str) -> None:
    assert page_of_form(opened) == read


@pytest.mark.parametrize("path", ["/console/nowhere", "/console/sources/dukcapil/tests", "/console/x/y/z"])
def test_an_address_that_no_form_is_sent_to_leads_nowhere(path: str) -> None:
    assert page_of_form(path) is None
