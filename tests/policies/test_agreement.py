"""The strict loader: what an agreement must say, and how a mistake is told with its line and the remedy."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from policies.agreement import Agreement, load_agreement, load_agreements, parse_agreement
from policies.bounds import Limits
from policies.dictionary import Ceiling
from policies.errors import PolicyError
from tests.policies.builders import DICTIONARY, a_field, a_rule

RULES = {programme: a_rule(programme) for programme in ("PKH", "PBI-JK")}

SOUND = """\
id: sample
version: 1
consumer: ministry
title: {id: judul, en: title}
purpose: checking
legal_basis:
  - UU 0/2026
documents:
  pks: CONTOH-1
  dpia: CONTOH-2
valid_from: 2026-01-01
valid_until: 2026-12-31
operations: [eligibility, records]
programmes: [PKH]
scope:
  regions: ["35", "31.74"]
  enrolled_in: anyone
limits:
  requests_per_minute: 60
  subjects_per_day: 5000
  new_people_per_day: 400
subjects_per_request: 100
pseudonym_sector: kesehatan
reasons: true
on_source_failure: partial
fields:
  full_name: drop
  birth_date: {generalise: year}
  nik: {mask: {show_first: 6}}
  decile: {bucket: ["1-2", "3-10"]}
  family_card_number: pseudonym
"""


def loaded(folder: Path, text: str, name: str = "sample.yaml") -> Agreement:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_agreement(path, DICTIONARY, RULES)


def problems(folder: Path, text: str, name: str = "sample.yaml") -> list[str]:
    with pytest.raises(PolicyError) as refused:
        loaded(folder, text, name)
    return refused.value.problems


def test_a_sound_agreement_says_what_its_file_says(tmp_path: Path) -> None:
    agreement = loaded(tmp_path, SOUND)
    assert agreement.sha256 == hashlib.sha256(SOUND.encode()).hexdigest()
    assert agreement.consumer == "ministry"
    assert (agreement.valid_from, agreement.valid_until) == (date(2026, 1, 1), date(2026, 12, 31))
    assert agreement.operations == ("eligibility", "records")
    assert agreement.programmes == ("PKH",)
    assert agreement.scope.regions == {"35", "31.74"}
    assert agreement.scope.enrolled_in is None
    assert agreement.limits == Limits(60, 5000, 400)
    assert agreement.reasons is True
    assert agreement.last_known_max_age_days is None
    assert agreement.state == "active"
    assert {name: str(made) for name, made in agreement.fields.items()} == {
        "full_name": "drop",
        "birth_date": "generalise (to: year)",
        "nik": "mask (show_first: 6)",
        "decile": "bucket (ranges: 1-2, 3-10)",
        "family_card_number": "pseudonym",
    }


def test_a_text_needs_no_file_and_is_in_the_state_that_its_reader_gives_it() -> None:
    text = SOUND.replace("reasons: true", "reasons: true\nlast_known_max_age_days: 0").encode()
    agreement = parse_agreement(text, "sample.yaml", DICTIONARY, RULES, "suspended")
    assert (agreement.state, agreement.last_known_max_age_days) == ("suspended", 0)
    assert agreement.sha256 == hashlib.sha256(text).hexdigest()
    with pytest.raises(PolicyError, match=r"^other\.yaml:1: id: expected the id .*, other, got"):
        parse_agreement(text, "other.yaml", DICTIONARY, RULES)


def test_a_file_too_is_in_the_state_that_its_reader_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(SOUND, encoding="utf-8")
    assert load_agreement(path, DICTIONARY, RULES, "revoked").state == "revoked"


def test_an_agreement_may_hold_for_a_single_day(tmp_path: Path) -> None:
    agreement = loaded(tmp_path, SOUND.replace("2026-12-31", "2026-01-01"))
    assert agreement.valid_from == agreement.valid_until == date(2026, 1, 1)


def test_everything_has_to_be_spelt_out(tmp_path: Path) -> None:
    text = (
        SOUND.replace('["35", "31.74"]', "everywhere")
        .replace("anyone", "[PKH, PBI-JK]")
        .replace("kesehatan", "none")
        .replace("[eligibility, records]", "[eligibility]")
    )
    agreement = loaded(tmp_path, text[: text.index("fields:")] + "fields: none\n")
    assert agreement.scope.regions is None
    assert agreement.scope.enrolled_in == {"PKH", "PBI-JK"}
    assert agreement.pseudonym_sector is None
    assert dict(agreement.fields) == {}


# What stands there, what somebody writes instead, the line that is named, and what is said.
MISTAKES = [
    ("purpose: checking", "purpse: checking", 5, "expected one of the keys id, version"),
    ("purpose: checking", "purpse: checking", 5, "write `purpose`"),
    ("purpose: checking", "purpse: checking", 1, "expected the key 'purpose', got no such key"),
    ("purpose: checking", "purpose:", 5, "expected one purpose, got nothing"),
    ("purpose: checking", "purpose: ''", 5, "expected one purpose"),
    ("purpose: checking", "purpose: [checking]", 5, "got a list of 1"),
    ("purpose: checking", "purpose: no", 5, 'write "no" in quotes'),
    ("purpose: checking", "purpose: Any Purpose", 5, "write lower-case letters, digits and hyphens"),
    ("purpose: checking", "purpose: checking\npurpose: other", 6, "got 'purpose' a second time"),
    ("id: sample", "id: another", 1, "expected the id that the file is named after, sample"),
    ("version: 1", "version: one", 2, "expected a whole number from 1 to 9999, got the text 'one'"),
    ("version: 1", "version: 1.0", 2, "got the number '1.0'"),
    ("version: 1", "version: 01", 2, "expected a whole number"),
    ("version: 1", "version: true", 2, "expected a whole number"),
    ("{id: judul, en: title}", "{id: judul}", 4, "expected the key 'en'"),
    ("{id: judul, en: title}", "{id: '', en: title}", 4, "title.id: expected a text in Indonesian, got"),
    ("{id: judul, en: title}", "{id: judul, en: }", 4, "title.en: expected a text in English, got nothing"),
    ("{id: judul, en: title}", "title", 4, "expected a mapping with id, en, got the text 'title'"),
    ("{id: judul, en: title}", "{id: judul, en: title, fr: titre}", 4, "got 'fr'"),
    ("  - UU 0/2026\n", "  []\n", 7, "expected a list of legal bases, got an empty list"),
    ("  - UU 0/2026\n", "", 6, "expected a list of legal bases, got nothing"),
    ("  - UU 0/2026\n", "  - 2026\n", 7, 'write "2026" in quotes'),
    ("  pks: CONTOH-1\n", "", 9, "expected the number of the pks, got none"),
    (
        "  pks: CONTOH-1\n",
        "  pks: ' CONTOH-1'\n",
        9,
        "expected a document's number, got the text ' CONTOH-1'",
    ),
    (
        "  pks: CONTOH-1\n  dpia: CONTOH-2\n",
        "  []\n",
        9,
        "expected the numbers of the documents, got an empty",
    ),
    ("valid_from:", "documents:\n  mou: 1\nvalid_from:", 11, "write only one of lines 8 and 11"),
    (
        "  dpia: CONTOH-2",
        "  dipa: CONTOH-2",
        10,
        "expected one of mou, pks, technical_terms, nda, sptjm, dpia",
    ),
    ("  dpia: CONTOH-2", "  dipa: CONTOH-2", 10, "write `dpia`"),
    ("  enrolled_in: anyone\n", "  enrolled_in: anyone\nstate: active\n", 18, "got 'state'"),
    ("requests_per_minute: 60", "requests_per_minute: 0", 19, "a whole number from 1 to 1000000"),
    ("requests_per_minute: 60", "requests_per_minute: 1000001", 19, "a whole number from 1 to 1000000"),
    ("  requests_per_minute: 60\n", "", 19, "expected the key 'requests_per_minute'"),
    ("subjects_per_day: 5000", "subjects_per_day: 300000001", 20, "a whole number from 1 to 300000000"),
    ("new_people_per_day: 400", "new_people_per_day: 5001", 21, "no more new people than subjects_per_day"),
    ("new_people_per_day: 400", "new_people_per_day: none", 21, "a whole number from 1 to 300000000"),
    ("reasons: true", "reasons: true\nlast_known_max_age_days: 3651", 25, "a whole number from 0 to 3650"),
    ('["35", "31.74"]', '["35", "35"]', 16, "expected each region once"),
    ("  pks: CONTOH-1", "  pks:", 9, "expected a document's number, got nothing"),
    ("valid_from: 2026-01-01", "valid_from: 01-01-2026", 11, "expected a date, got the text '01-01-2026'"),
    ("valid_from: 2026-01-01", "valid_from: 2026-02-30", 11, "expected a day of the calendar"),
    ("valid_from: 2026-01-01", "valid_from: 2026-1-1", 11, "expected a date"),
    ("valid_from: 2026-01-01", 'valid_from: "2026-01-01"', 11, "write it as YYYY-MM-DD, without quotes"),
    ("valid_until: 2026-12-31", "valid_until: 2025-12-31", 12, "expected a day not before valid_from"),
    ("valid_from: 2026-01-01", "valid_from: 2026-01-01 08:00:00", 11, "expected a date, got the date"),
    ("valid_until: 2026-12-31", "valid_until: forever", 12, "expected a date"),
    ("valid_until: 2026-12-31", "valid_until:", 12, "expected a date, got nothing, write it as YYYY-MM-DD"),
    (
        "valid_until: 2026-12-31",
        "valid_until: 31.12",
        12,
        "expected a date, got the number '31.12', write it as",
    ),
    ("[eligibility, records]", "[]", 13, "expected a list of operations, got an empty list"),
    ("[eligibility, records]", "[eligibility, record]", 13, "write `records`"),
    ("[eligibility, records]", "[records, records]", 13, "got 'records' a second time"),
    ("[eligibility, records]", "records", 13, "expected a list of operations, got the text 'records'"),
    ("[eligibility, records]", "[records]", 14, "expected no programmes without the operation eligibility"),
    ("programmes: [PKH]\n", "", 1, "expected the key 'programmes'"),
    ("programmes: [PKH]", "programmes: [PHK]", 14, "write `PKH`"),
    ("programmes: [PKH]", "programmes: PKH", 14, "expected a list of programmes, got the text 'PKH'"),
    ('["35", "31.74"]', "[]", 16, "expected `everywhere`, or a list of region codes, got an empty list"),
    ('["35", "31.74"]', "all", 16, "expected `everywhere`"),
    ('["35", "31.74"]', "", 16, "expected `everywhere`"),
    ('["35", "31.74"]', "[35]", 16, "got the number '35', write \"35\" in quotes"),
    ('["35", "31.74"]', "[31.74]", 16, "got the number '31.74', write \"31.74\" in quotes"),
    ('["35", "31.74"]', '["3174"]', 16, "expected a dotted region code in quotes, got the text '3174'"),
    ("enrolled_in: anyone", "enrolled_in: everyone", 17, "expected `anyone`, or a list of programmes"),
    ("enrolled_in: anyone", "enrolled_in: [BLT]", 17, "expected one of PKH, PBI-JK, got the text 'BLT'"),
    ("  enrolled_in: anyone\n", "", 16, "expected the key 'enrolled_in'"),
    ("subjects_per_request: 100", "subjects_per_request: 0", 22, "a whole number from 1 to 1000"),
    ("subjects_per_request: 100", "subjects_per_request: 1001", 22, "a whole number from 1 to 1000"),
    ("pseudonym_sector: kesehatan", "pseudonym_sector:", 23, "expected a sector, or `none`, got nothing"),
    ("pseudonym_sector: kesehatan", "pseudonym_sector: a.b", 23, "expected a sector, or `none`"),
    ("pseudonym_sector: kesehatan", "pseudonym_sector: none", 31, "expected pseudonym_sector beside"),
    ("reasons: true", "reasons: yes", 24, "expected one of true, false"),
    ("on_source_failure: partial", "on_source_failure: ignore", 25, "expected one of partial, refuse"),
    ("full_name: drop", "fullname: drop", 27, "got 'fullname', write `full_name`"),
    (
        SOUND[SOUND.index("fields:") :],
        "fields: []\n",
        26,
        "expected one line per field, or `none`, got an empty",
    ),
    (
        SOUND[SOUND.index("  full_name:") :],
        "  none\n",
        27,
        "write at least one field, such as `decile: keep`",
    ),
    (SOUND[SOUND.index("  full_name:") :], "  nik: drop\n", 27, "write `none` if only the decision is"),
    ("full_name: drop", "zzz: drop", 27, "expected a field of the dictionary"),
    ("full_name: drop", "full_name:", 27, "expected a transformation, got nothing"),
    ("full_name: drop", "full_name: {}", 27, "expected a mapping, got an empty mapping"),
    ("full_name: drop", "full_name: yes", 27, "expected a transformation"),
    ("full_name: drop", "full_name: hide", 27, "expected one of keep, drop"),
    ("full_name: drop", "mother_name: keep", 27, "because the ceiling of mother_name is never"),
    ("full_name: drop", "mother_name: keep", 27, "write `mother_name: drop`"),
    ("full_name: drop", "nik: keep", 29, "got 'nik' a second time"),
    ("full_name: drop", "dukcapil_full_name: keep", 27, "write `dukcapil_full_name: verdict`"),
    ("full_name: drop", "photo: verdict", 27, "expected a field with one plain value"),
    ("{generalise: year}", "{generalise: decade}", 28, "expected one of year, year_month, age_band"),
    ("{generalise: year}", "{generalise: {to: true}}", 28, "got True, write `generalise: year`"),
    ("{generalise: year}", "{generalise: {to: false}}", 28, "got False, write `generalise: year`"),
    ("{generalise: year}", "{generalise: year, keep: true}", 28, "expected one transformation"),
    ("{mask: {show_first: 6}}", "{mask: {show_first: 12}}", 29, "show_first from 0 to 6"),
    ("{mask: {show_first: 6}}", "keep", 29, "because the ceiling of nik is reduced"),
    ('["1-2", "3-10"]', "[]", 30, "expected a list of ranges, got an empty list"),
    ('["1-2", "3-10"]', '["1-1", "2-10"]', 30, "ranges of at least two values"),
    ('["1-2", "3-10"]', "[1.5]", 30, 'write "1.5" in quotes'),
    ('["1-2", "3-10"]', "[few]", 30, 'the last may be "5+", got \'few\', write `bucket: ["1-2",'),
    (
        '{bucket: ["1-2", "3-10"]}',
        "bucket",
        30,
        'a list of ranges, got something else, write `bucket: ["1-2",',
    ),
]


@pytest.mark.parametrize(("right", "wrong", "line", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_write(
    tmp_path: Path, right: str, wrong: str, line: int, told: str
) -> None:
    assert SOUND.count(right) == 1
    found = problems(tmp_path, SOUND.replace(right, wrong))
    problem = next((problem for problem in found if told in problem), "")
    assert problem.startswith(f"{tmp_path / 'sample.yaml'}:{line}: "), found
    assert "expected " in problem
    assert ", got " in problem
    assert ", write " in problem


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    text = (
        SOUND.replace("version: 1", "version: one")
        .replace("2026-12-31", "someday")
        .replace("reasons: true", "reasons: maybe")
        .replace("nik: {mask: {show_first: 6}}", "nik: keep")
        .replace("full_name: drop", "full_nam: drop")
    )
    lines = [int(problem.split(":")[1]) for problem in problems(tmp_path, text)]
    assert lines == [2, 12, 24, 27, 29]


def test_a_mistake_is_told_once_and_not_again_by_what_follows_from_it(tmp_path: Path) -> None:
    assert len(problems(tmp_path, SOUND.replace("valid_from: 2026-01-01", "valid_from: soon"))) == 1
    assert len(problems(tmp_path, SOUND.replace("scope:", "scop:"))) == 2
    assert len(problems(tmp_path, SOUND.replace("[eligibility, records]", "[eligible, records]"))) == 1


def test_an_agreement_on_records_releases_a_field(tmp_path: Path) -> None:
    head = SOUND[: SOUND.index("fields:")]
    assert "expected fields, because records are released" in problems(tmp_path, head + "fields: none\n")[0]
    dropped = problems(tmp_path, head + "fields:\n  nik: drop\n  full_name: drop\n")
    assert "expected a field that is released, got only dropped fields" in dropped[0]


def test_an_address_is_generalised_no_finer_than_regions_may_be_released(tmp_path: Path) -> None:
    dictionary = {
        "address": a_field("address", "street"),
        "region": a_field("region", "region", Ceiling.REDUCED),
    }
    path = tmp_path / "sample.yaml"
    head = SOUND[: SOUND.index("fields:")]
    path.write_text(head + "fields:\n  address: {generalise: district}\n")
    assert load_agreement(path, dictionary, RULES).fields["address"].reads == "region"
    path.write_text(head + "fields:\n  address: {generalise: village}\n")
    with pytest.raises(PolicyError, match=r"sample\.yaml:27: .* of region, which .*, write a coarser level"):
        load_agreement(path, dictionary, RULES)


NO_DOCUMENTS = [
    ("", 1, "got an empty file"),
    ("# only a comment\n", 1, "got an empty file"),
    ("- a\n- b\n", 1, "got a list of 2"),
    ("just words\n", 1, "got the text 'just words'"),
    ("id: sample\nfields: &all {nik: drop}\n", 2, "got an anchor or alias"),
    ("id: sample\nfields: *all\n", 2, "got an anchor or alias"),
    ("id: !!python/object/apply:os.getcwd []\n", 1, "got a tag"),
    ("id: !secret x\n", 1, "got a tag"),
    ("id: sample\nversion: !secret x\n", 2, "got a tag"),
    ("id: sample\n<<: {reasons: true}\n", 2, "write every key out in full"),
    ("id: sample\n? [a, b]\n: c\n", 2, "expected a plain key"),
    ("id: 'open\n", 2, "expected plain YAML"),
    ("id: sample\n\tversion: 1\n", 2, "expected plain YAML"),
    ("id: sample\n---\nid: other\n", 2, "expected plain YAML"),
    ("[" * 3000, 1, "expected a few levels"),
    ("id: \x00\n", 1, "expected UTF-8 text"),
]


@pytest.mark.parametrize(("text", "line", "told"), NO_DOCUMENTS)
def test_what_is_not_one_plain_yaml_document_is_refused(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    found = problems(tmp_path, text)
    problem = next((problem for problem in found if told in problem), "")
    assert problem.startswith(f"{tmp_path / 'sample.yaml'}:{line}: "), found


def test_bytes_that_are_not_utf_8_and_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_bytes(b"id: \xff\xfe\xfa\n")
    with pytest.raises(PolicyError, match="expected UTF-8 text"):
        load_agreement(path, DICTIONARY, RULES)
    with pytest.raises(PolicyError, match="expected a readable file, got No such file"):
        load_agreement(tmp_path / "none.yaml", DICTIONARY, RULES)


def test_a_folder_is_read_as_a_whole_and_its_cases_are_not_agreements(tmp_path: Path) -> None:
    (tmp_path / "sample.yaml").write_text(SOUND)
    (tmp_path / "sample.cases.yaml").write_text("not an agreement")
    book = load_agreements(tmp_path, DICTIONARY, RULES)
    assert [agreement.id for agreement in book.agreements] == ["sample"]
    (tmp_path / "second.yaml").write_text("id: second\n")
    (tmp_path / "third.yaml").write_text("id: third\n")
    (tmp_path / "fourth.yml").write_text(SOUND)
    with pytest.raises(PolicyError) as refused:
        load_agreements(tmp_path, DICTIONARY, RULES)
    named = {problem.split(":")[0].rsplit("/", 1)[-1] for problem in refused.value.problems}
    assert named == {"second.yaml", "third.yaml", "fourth.yml"}
    assert any("fourth.yml:1: expected only .yaml files" in problem for problem in refused.value.problems)


def test_a_purpose_that_two_files_share_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sample.yaml").write_text(SOUND)
    (tmp_path / "twin.yaml").write_text(SOUND.replace("id: sample", "id: twin"))
    with pytest.raises(
        PolicyError, match="expected one agreement of ministry for checking, got sample as well"
    ):
        load_agreements(tmp_path, DICTIONARY, RULES)
