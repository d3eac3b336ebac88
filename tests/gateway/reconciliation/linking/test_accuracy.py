"""Accuracy that a plain model does not reach, on people who are as hard to tell apart as the field's."""

from __future__ import annotations

import pytest

from tests.benchmarks.link_accuracy import Accuracy, accuracy
from tests.benchmarks.plain_splink import plain_links
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS, Linked

pytestmark = IBIS_WARNINGS

_REFUSES_TO_GUESS = ("twin", "namesake", "father_and_son")


def _reaches_the_goals(found: Accuracy) -> bool:
    return found.f1 >= 0.95 and found.absent_matched < 0.12 and found.wrong_no < 6 and found.among_ten >= 0.97


def test_the_goals_of_accuracy_are_reached(linked: Linked) -> None:
    found = accuracy(linked.connection, "ours")
    assert _reaches_the_goals(found), str(found)


def test_a_plain_model_does_not_reach_them(linked: Linked) -> None:
    tables = linked.backend
    tables.create_table("plain", plain_links(tables.table("registry"), tables.table("extract"), tables))
    found = accuracy(linked.connection, "plain")
    assert not _reaches_the_goals(found), str(found)
    assert found.f1 < accuracy(linked.connection, "ours").f1 - 0.04


@pytest.mark.parametrize("defect", _REFUSES_TO_GUESS)
def test_those_who_resemble_another_are_seldom_mistaken_for_him(linked: Linked, defect: str) -> None:
    wrong, accepted = linked.rows(
        f"""SELECT count(*) FILTER (ours.nik IS DISTINCT FROM truth.nik), count(*)
        FROM ours JOIN truth USING (person_id)
        WHERE proposal = 'accept' AND list_contains(defects, '{defect}')"""  # noqa: S608 - our own words
    )[0]
    assert accepted > 20
    assert wrong / accepted < 0.08


def test_the_absent_are_mostly_given_nobody(linked: Linked) -> None:
    accepted, absent = linked.rows(
        """SELECT count(*) FILTER (proposal = 'accept'), count(*)
        FROM truth SEMI JOIN registry USING (person_id)
        LEFT JOIN (FROM ours WHERE rank = 1) USING (person_id) WHERE truth.nik IS NULL"""
    )[0]
    assert absent > 300
    assert accepted / absent < 0.06


def test_a_probability_means_what_it_says(linked: Linked) -> None:
    """Of the first candidates that are given p, about that share are right; on the careful side."""
    bands = linked.rows(
        """SELECT avg(probability), avg((ours.nik IS NOT DISTINCT FROM truth.nik)::INT), count(*)
        FROM ours JOIN truth USING (person_id) WHERE rank = 1 GROUP BY floor(least(probability, 0.999) * 4)"""
    )
    assert len(bands) == 4
    for told, right, rows in bands:
        assert told - 0.12 < right, (told, right, rows)
