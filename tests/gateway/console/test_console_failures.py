"""Why a reconciliation stopped: every sentence that a run can keep of it has its Indonesian.

The sentences are read from the source, so one that is new fails here until the catalogue has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

from markupsafe import Markup, escape

from gateway import errors
from gateway.console.language import speech
from gateway.console.run_failures import FAILURES, PARTS, Failure, failure_told
from gateway.errors import SettingsInvalid
from gateway.reconciliation.extract_checks import Defect, _defect
from tests.gateway.console.rendered import rendered
from tests.gateway.console.sentences import Said, left_in_english

GATEWAY = Path(__file__).parents[3] / "gateway"
# What somebody hears who asks for something, before a run begins or after it has ended.
_NOT_WITHIN_A_RUN = {
    *("acceptance", "acceptance_rules", "alone", "exporting", "extract_folder", "findings", "night"),
    *("opening", "regional", "runs", "schedule", "sealing", "training"),
}
_SAMPLES = {"as_of": "2026-11-22", "column": "birth_date", "len(": "3", "line": "12"}
_FILE = "JATIM: 1.csv"
# Words of both languages, and words of the configuration and of extracts.
_SHARED = frozenset(
    {
        *("digit", "duckdb", "dukcapil", "folder", "gapura", "gateway"),
        *("model", "nik", "server", "sex", "spark"),
    }
)
_HEAD = "no partition of the extract is sound:"
_FAILED = {
    "id": "0",
    "state": "failed",
    "submitted_at": "2026-11-22T09:00:00+00:00",
    "submitted_by": "operator",
    "way": "extract",
    "engine": "duckdb",
    "region": None,
    "phase": None,
    "people": None,
    "as_of": None,
    **dict.fromkeys(("waits_until", "finished_at", "rate_per_s", "seconds_left"), None),
    **dict.fromkeys(("checked", "changed", "findings_opened", "findings_closed", "accepted_by_rule"), 0),
    "worked_on": False,
    "statuses": {},
    "problems": [],
}


def _modules() -> Iterator[Said]:
    """Where a run's failures come from: all that works for a run, and the database that it is stored in."""
    within = (
        path for path in (GATEWAY / "reconciliation").rglob("*.py") if path.stem not in _NOT_WITHIN_A_RUN
    )
    yield from (Said(path, _SAMPLES, "7001") for path in (*within, GATEWAY / "database.py"))


@cache
def _defects() -> tuple[Defect, ...]:
    """Everything that can be wrong with a part of an extract, as the checks say it."""
    checks = Said(GATEWAY / "reconciliation" / "extract_checks.py", _SAMPLES, "7001")
    return tuple(
        _defect(_FILE, code, column=column or None, kind=kind, rows=rows)
        for call in checks.calls(frozenset({"_defect"}))
        for given in [{one.arg: checks.texts(one.value) for one in call.keywords}]
        for code, column, kind in product(
            checks.texts(call.args[1]), given.get("column", {""}), given.get("kind", {""})
        )
        for rows in (0, 12)
    )


@cache
def _failures() -> frozenset[str]:
    """Every failure that a run can keep, those with parts among them."""
    errors_by_name = {name for name, one in vars(errors).items() if _is_failure(one)} | {"JobFailed"}
    found: set[str] = set()
    for module in _modules():
        for call in module.calls(frozenset(errors_by_name)):
            found |= _said_of(module, call)
        found |= {text for cause in module.assigned("cause") for text in module.texts(cause)}
    # What is no sentence is another failure's own text, passed on.
    return frozenset(one for one in found if " " in one)


def _is_failure(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, errors.GapuraError)


def _said_of(module: Said, call: ast.Call) -> set[str]:
    """What a failure says that is made so: a sentence, one with lines below, or the settings' problems."""
    match call.args[0]:
        case ast.List(elts=problems):
            return {SettingsInvalid([text]).detail for one in problems for text in module.texts(one)}
        case ast.BinOp(left=head, op=ast.Add()):
            below = "".join(f"  - {defect.said.en}\n" for defect in _defects()).rstrip()
            return {text + below for text in module.texts(head)}
        case sentence:
            return module.texts(sentence)


def _lines(told: Failure) -> list[Markup]:
    return [told.why, *told.parts]


def _english_lines(failure: str) -> list[str]:
    return failure.split("\n  - ")


def test_every_failure_of_a_run_is_told_in_indonesian() -> None:
    assert len(_failures()) > 15
    lines = {
        english: told
        for one in _failures()
        for english, told in zip(_english_lines(one), _lines(failure_told(speech("id"), one)), strict=True)
    }
    assert [one for one, told in lines.items() if "lang=" in told] == []
    assert {one: left for one, told in lines.items() if (left := left_in_english(one, told, _SHARED))} == {}


def test_what_is_wrong_with_a_part_of_an_extract_is_told_as_the_checks_tell_it() -> None:
    assert len({defect.code for defect in _defects()}) == 13
    for defect in _defects():
        told = failure_told(speech("id"), f"{_HEAD}\n  - {defect.said.en}").parts
        assert told == [escape(defect.said.id)], defect.code
        assert left_in_english(defect.said.en, escape(defect.said.id), _SHARED) == set()


def test_english_pages_show_every_failure_as_it_came() -> None:
    for one in _failures():
        assert _lines(failure_told(speech("en"), one)) == [escape(line) for line in _english_lines(one)]


def test_no_message_is_kept_that_no_run_fails_with() -> None:
    said = [line for one in _failures() for line in _english_lines(one)]
    parts = {message: re.split(r"%\(\w+\)s", message) for message in (*FAILURES, *PARTS)}
    assert [one for one in parts if not any(all(part in text for part in parts[one]) for text in said)] == []


def test_what_nobody_translated_is_shown_as_it_came_and_marked_as_english() -> None:
    told = failure_told(speech("id"), f"the <moon> is full\n  - {_FILE}: it is <blue>")
    assert told.why == '<span lang="en">the &lt;moon&gt; is full</span>'
    assert told.parts == [f'<span lang="en">{_FILE}: it is &lt;blue&gt;</span>']
    # A sentence that only begins like a known one is another one.
    longer = "The step plan failed (KeyError). Look at the moon."
    assert failure_told(speech("id"), longer).why == f'<span lang="en">{longer}</span>'


def _page(failure: str) -> str:
    """The page of a run that stopped."""
    regions = {"match_rate": None, "match_rate_before": None, "run_before": None}
    return rendered(
        "reconciliations/run.html",
        run={**_FAILED, "failure": failure},
        regions=regions,
        view="statuses",
        under_way=False,
        names={},
        labels={},
        report=None,
        acts=[],
    )


def test_the_page_of_a_run_that_stopped_tells_why_in_indonesian_each_part_on_its_own() -> None:
    page = _page(f"{_HEAD}\n  - a.csv: it has no rows: expected one for every person\n  - b.csv: <gone>")
    assert "<p>tidak satu pun bagian ekstrak yang utuh:</p>" in page
    assert "<li>a.csv: berkas tidak berisi baris data; diharapkan satu baris untuk setiap orang</li>" in page
    assert '<li><span lang="en">b.csv: &lt;gone&gt;</span></li>' in page
    assert "<ul><li>" not in _page("unforeseen: KeyError")
