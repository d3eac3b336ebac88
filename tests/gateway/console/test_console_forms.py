"""What forms need is marked on them, and what is wrong is told where it was typed."""

from __future__ import annotations

import re

import pytest

from gateway.commands.exchange import sign_ins_told
from gateway.console.asking import ApiProblem
from gateway.console.language import speech
from gateway.console.pages import TEMPLATES
from gateway.console.screens.maps import classes
from gateway.console.screens.reconciliations.starting import region_code

_WRITTEN_OUT = re.compile(
    r"<label for=\"reason[^>]*>(?P<label>.*?)</label>.*?<input id=\"reason[^>]* required", re.DOTALL
)


@pytest.mark.parametrize("page", ["run", "finding", "case", "rules"])
def test_a_reason_that_is_required_has_its_mark(page: str) -> None:
    source = (TEMPLATES / "reconciliations" / f"{page}.html").read_text(encoding="utf-8")
    labels = [found["label"] for found in _WRITTEN_OUT.finditer(source)]
    assert labels
    assert all(label.endswith("*</abbr>") for label in labels)


def test_each_problem_of_a_registration_is_told_at_its_field_and_the_others_above() -> None:
    told = ["sektor: diharapkan a-z", "kunci ke-1: lemah", "kunci ke-2: lemah", "sesuatu yang lain"]
    problem = ApiProblem(400, {"problems": told}, speech("id").say).told_at_fields()
    assert problem.at("/sector") == "Diharapkan a-z"
    assert problem.at("/jwks") == "Kunci ke-1: lemah; Kunci ke-2: lemah"
    assert problem.at("/name") is None
    assert problem.members["problems"] == ["sesuatu yang lain"]
    assert problem.members["remedy"] == "Periksa isian yang ditandai."


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("35.78 Kota Surabaya", "35.78"),
        ("35.", "35"),
        ("35", "35"),
        (" Antah Berantah", "Antah Berantah"),
        ("", ""),
    ],
)
def test_a_region_is_its_code_and_what_has_none_stays_whole(typed: str, code: str) -> None:
    assert region_code(typed) == code


def test_classes_of_counts_do_not_overlap_and_promise_no_count_that_is_not_told() -> None:
    assert classes("count", [0, 5, 20, 31], 5) == [(0, 0), (5, 19), (20, 31)]
    assert classes("share", [0.8, 0.9, 1.0], 5) == [(0.8, 0.9), (0.9, 1.0)]
    assert classes("count", [], 5) == []


def test_the_demo_says_which_column_is_the_password() -> None:
    heads, row = sign_ins_told([("operator", "s3cret-word", "auditor, operator")]).splitlines()
    for head, value in (("Id", "operator"), ("Password", "s3cret-word"), ("Roles", "auditor")):
        assert heads.index(head) == row.index(value)
