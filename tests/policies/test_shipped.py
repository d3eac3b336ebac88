"""The policies that are shipped: they load, their cases hold, and they agree with law and registry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.agreements import app
from gateway.registry.tables import STATUS_VOCABULARY
from policies.cases import check_cases
from policies.dictionary import Ceiling
from policies.errors import PolicyError
from policies.library import load_policies
from tests.policies.builders import DICTIONARY, SHIPPED

BOOK = load_policies(SHIPPED)
AGREEMENTS = SHIPPED / "agreements"


def test_every_case_of_every_agreement_holds() -> None:
    checked = check_cases(AGREEMENTS, BOOK)
    assert [problem for one in checked for problem in one.problems] == []
    assert all(one.cases >= 2 for one in checked)
    assert len(checked) == len(BOOK.agreements)


def test_agreements_differ_in_kind() -> None:
    by_consumer = {consumer: set(own) for consumer, own in BOOK.by_consumer.items()}
    assert by_consumer == {
        "bpjs-kesehatan": {"pbi-jk-eligibility", "member-reconciliation"},
        "pkh-pendamping": {"member-contact"},
        "dinsos-jatim": {
            "regional-verification",
            "findings-follow-up",
            "flood-relief-2024",
            "identity-check",
        },
        "bps-statistik": {"official-statistics"},
        "cek-bansos": {"own-status"},
    }


def test_every_agreement_is_clearly_an_example() -> None:
    for agreement in BOOK.agreements:
        assert all("CONTOH" in number for number in agreement.documents.values())
        assert agreement.title.id.startswith("Contoh")
        assert agreement.title.en.startswith("Example")


def test_no_shipped_agreement_releases_a_whole_identity_number_or_a_mothers_name() -> None:
    for agreement in BOOK.agreements:
        for name in ("nik", "family_card_number", "mother_name"):
            assert name not in agreement.fields or agreement.fields[name].level <= Ceiling.REDUCED


def test_status_words_are_the_words_of_the_registry() -> None:
    assert {name: DICTIONARY[name].words for name in STATUS_VOCABULARY} == STATUS_VOCABULARY
    assert DICTIONARY["enrolments"].words == ("PBI-JK", "PKH", "BPNT", "BST")
    assert set(BOOK.programmes) == set(DICTIONARY["enrolments"].words)


def test_ceilings_are_what_the_law_and_the_sources_allow() -> None:
    ceilings = {name: field.ceiling for name, field in DICTIONARY.items()}
    never = {"mother_name", "photo", "fingerprint", "iris", "signature"}
    assert {name for name, ceiling in ceilings.items() if ceiling is Ceiling.NEVER} == never
    assert {ceilings["nik"], ceilings["family_card_number"]} == {Ceiling.REDUCED}
    for name, field in DICTIONARY.items():
        assert field.label.id != field.label.en
        if name.startswith("dukcapil_") and name != "dukcapil_person_state":
            assert (field.type, field.ceiling) == ("verdict", Ceiling.VERDICT), name


RUNNER = CliRunner(env={"GAPURA_HOME": "/nowhere"})  # no store to compare with


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the shipped policies to make mistakes in."""
    return Path(
        shutil.copytree(SHIPPED, tmp_path / "policies", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    )


def edit(path: Path, right: str, wrong: str) -> None:
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))


def test_check_ends_with_0_when_everything_holds() -> None:
    result = RUNNER.invoke(app, ["check", str(SHIPPED)])
    assert result.exit_code == 0
    assert "all hold." in result.output


def test_check_tells_every_mistake_with_file_and_line_and_ends_with_1(policies: Path) -> None:
    edit(policies / "agreements/bpjs-pbi-jk.yaml", "version: 1", "version: one")
    edit(policies / "agreements/cek-bansos-own-status.yaml", "reasons: true", "reasons: sure")
    result = RUNNER.invoke(app, ["check", str(policies)])
    assert result.exit_code == 1
    assert "bpjs-pbi-jk.yaml:6: version: expected a whole number" in result.output
    assert "cek-bansos-own-status.yaml:" in result.output


def test_check_tells_a_case_that_does_not_hold_with_both_sides(policies: Path) -> None:
    edit(policies / "agreements/bpjs-pbi-jk.yaml", "sex: keep", "sex: drop")
    result = RUNNER.invoke(app, ["check", str(policies)])
    assert result.exit_code == 1
    assert "bpjs-pbi-jk.cases.yaml:" in result.output
    assert "values.sex: expected P, got nothing, write" in result.output
    assert "withheld.sex: expected nothing, got dropped_by_agreement, write" in result.output


def test_a_wider_agreement_fails_the_cases_that_said_less(policies: Path) -> None:
    edit(
        policies / "agreements/bps-official-statistics.yaml", "region: {generalise: regency}", "region: keep"
    )
    problems = [
        problem
        for one in check_cases(policies / "agreements", load_policies(policies))
        for problem in one.problems
    ]
    assert any("35.78.01.1001" in problem for problem in problems)


def test_an_agreement_that_gives_no_reasons_fails_the_cases_that_name_clauses(policies: Path) -> None:
    edit(policies / "agreements/bpjs-pbi-jk.yaml", "reasons: true", "reasons: false")
    checked = {one.agreement.id: one for one in check_cases(policies / "agreements", load_policies(policies))}
    assert any(
        "clauses.decile: expected yes, got nothing" in problem for problem in checked["bpjs-pbi-jk"].problems
    )


def test_an_agreement_without_cases_does_not_pass(policies: Path) -> None:
    (policies / "agreements/bpjs-pbi-jk.cases.yaml").unlink()
    result = RUNNER.invoke(app, ["check", str(policies)])
    assert result.exit_code == 1
    assert "bpjs-pbi-jk.cases.yaml:1: expected a readable file" in result.output


def test_cases_without_an_agreement_do_not_pass(policies: Path) -> None:
    (policies / "agreements/lost.cases.yaml").write_text("people: {}\n")
    with pytest.raises(PolicyError, match=r"lost\.cases\.yaml:1: expected an agreement beside it"):
        check_cases(policies / "agreements", load_policies(policies))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("person: bu Sari\n", "person: bu Sara\n", "write `bu Sari`"),
        ("life_status: alive", "life_status: hidup", "expected one of alive, deceased, unknown"),
        ("sex: P\n", "gender: P\n", "expected a field of the dictionary"),
        ("programme: PBI-JK}", "}", "expected the key 'programme'"),
        ("      values:\n", "      value:\n", "write `values`"),
        ("expect: {denied:", "expect: {refused:", "expected one of the keys denied"),
        ("expect: {denied: no_agreement}", "expect: {}", "expected a mapping with denied, out_of_scope, "),
        ("decision: eligible", "decision: yes", "expected one of eligible, ineligible, unknown"),
        ("on: 2026-03-02", "on: today", "expected a date"),
        (
            "{denied: no_agreement}",
            "{denied: no_agreement, values: none}",
            "expected nothing beside a refusal",
        ),
        ('birth_date: "1990"', "birth_date:", "expected a value, got nothing"),
        ("      values:\n        region", "      clauses2:\n        region", "expected the key 'values'"),
        ("unavailable: [decile,", "unavailable: [desil,", "write `decile`"),
    ],
)
def test_a_mistake_in_cases_is_told_with_its_line(policies: Path, right: str, wrong: str, told: str) -> None:
    path = policies / "agreements/bpjs-pbi-jk.cases.yaml"
    edit(path, right, wrong)
    checked = {one.agreement.id: one for one in check_cases(path.parent, load_policies(policies))}
    problem = next(problem for problem in checked["bpjs-pbi-jk"].problems if told in problem)
    assert problem.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            "expect: {denied: programme_not_covered}",
            "expect: {denied: no_agreement}",
            "denied: expected no_agreement",
        ),
        (
            "expect: {denied: programme_not_covered}",
            "expect: {values: none}",
            "denied: expected nothing, got programme_not_covered",
        ),
        ("decision: eligible", "decision: unknown", "decision: expected unknown, got eligible"),
        ("decile: no}", "decile: yes}", "clauses.decile: expected yes, got no,"),
        (
            "unknown: [decile_period]",
            "absent: [decile_period]",
            "absent.decile_period: expected absent, got not absent,",
        ),
        (
            "unknown: [decile_period]",
            "absent: [decile_period]",
            "unknown.decile_period: expected not unknown, got unknown,",
        ),
        (
            "salary: unknown_field",
            "salary: not_in_agreement",
            "withheld.salary: expected not_in_agreement, got unknown_field,",
        ),
        ('birth_date: "1990"', 'birth_date: "1991"', "values.birth_date: expected 1991, got 1990,"),
    ],
)
def test_a_case_that_says_otherwise_fails(policies: Path, right: str, wrong: str, told: str) -> None:
    path = policies / "agreements/bpjs-pbi-jk.cases.yaml"
    edit(path, right, wrong)
    checked = {one.agreement.id: one for one in check_cases(path.parent, load_policies(policies))}
    problems = checked["bpjs-pbi-jk"].problems
    assert any(told in problem for problem in problems), problems


def test_without_a_folder_the_one_of_the_settings_is_taken(policies: Path) -> None:
    only = {"GAPURA_POLICIES": str(policies)}
    edit(policies / "agreements/bpjs-pbi-jk.yaml", "version: 1", "version: 77")
    assert "version 77 " in RUNNER.invoke(app, ["check"], env=only).output
    result = RUNNER.invoke(app, ["check"], env=only | {"GAPURA_POLICIES": "/nowhere"})
    assert result.exit_code == 1
    assert "GAPURA_POLICIES" in result.output


def test_a_lawyer_need_not_know_what_yaml_makes_of_a_number_or_a_date(policies: Path) -> None:
    path = policies / "agreements/bpjs-pbi-jk.cases.yaml"
    edit(path, 'region: "35.78"\n        birth_date: "1990"', "region: 35.78\n        birth_date: 1990")
    edit(policies / "agreements/pkh-member-contact.cases.yaml", '"1985-08-15"', "1985-08-15")
    checked = check_cases(policies / "agreements", load_policies(policies))
    assert [problem for one in checked for problem in one.problems] == []


def test_help_teaches_what_an_agreement_is_and_what_to_do() -> None:
    for arguments in (["--help"], ["check", "--help"], ["show", "--help"]):
        assert RUNNER.invoke(app, arguments).exit_code == 0
    told = RUNNER.invoke(app, ["--help"]).output
    assert "agreements/ID.cases.yaml" in told
    assert "gapura agreements check" in told
