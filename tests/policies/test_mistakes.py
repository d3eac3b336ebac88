"""One agreement edited by hand in a hurry: every kind of mistake gets its own message, line and remedy."""

from __future__ import annotations

import pytest

from policies.agreement import parse_agreement
from policies.errors import PolicyError
from tests.policies.builders import DICTIONARY, a_rule

RULES = {programme: a_rule(programme) for programme in ("PKH", "PBI-JK")}

# Each line with a mistake says behind ## what its message must tell the author to write.
HURRIED = """\
id: Sample                                     ## lower-case letters, digits and hyphens, such as
version: 1.5                                   ## a whole number without quotes, such as 1
state: active                                  ## nothing: leave the line away
consumer: BPJS Kesehatan                       ## lower-case letters, digits and hyphens
title: {id: judul}                             ## `en: ...`
purpose:                                       ## lower-case letters, digits and hyphens
legal_basis: UU 0/2026                         ## a list with at least one entry, such as `[a, b]`
documents:
  pks: CONTOH-1
  spjtm: CONTOH-5                              ## `sptjm`
valid_from: 2026-02-30                         ## an existing date, as YYYY-MM-DD
valid_until: 31-12-2026                        ## it as YYYY-MM-DD, without quotes
operations: [eligibility, recrods]             ## `records`
programmes: [PKH, PKH]                         ## the list without this entry
scope:
  regions: ["3578"]                            ## it as "35", "35.78", "35.78.01"
  enrolled_in: everybody                       ## `anyone`, or a list such as `[PKH]`
subjects_per_request: 5000                     ## 1000, or a number between
limits:
  requests_per_minute: 0                       ## 1, or a number between
  subjects_per_day: 100
  new_people_per_day: 200                      ## at most 100
pseudonym_sector: none
reasons: yes                                   ## one of true, false
reasons: true                                  ## only one of lines 24 and 25
on_source_failure: ignore                      ## one of partial, refuse
last_known_max_age_days: a week                ## a whole number without quotes, such as 0
fields:
  fullname: drop                               ## `full_name`
  birth_date: {generalise: decade}             ## `generalise: year`
  nik: keep                                    ## `nik: drop`
  mother_name: verdict                         ## `mother_name: drop`
  decile: {bucket: ["1-2", "4-5"]}             ## `bucket: ["1-2", "3-4", "5+"]`
  family_card_number: pseudonym                ## a sector, or another transformation
  occupation: hide                             ## one of keep, drop, mask
  address: {mask: {show_first: 1}}             ## `generalise` or `drop`
  region: {generalise: regency, keep: true}    ## `keep`, or `{generalise: year}`
  photo: keep                                  ## `photo: drop`
  sex: {keep: all}                             ## `keep`
  full_name: {mask: {show_first: 9}}           ## `mask: {show_first: 1}`
"""


def test_each_kind_of_mistake_is_told_with_its_line_and_its_own_remedy() -> None:
    remedies = {
        number: line.split("## ")[1]
        for number, line in enumerate(HURRIED.splitlines(), start=1)
        if "## " in line
    }
    text = "\n".join(line.split("## ")[0].rstrip() for line in HURRIED.splitlines())
    with pytest.raises(PolicyError) as refused:
        parse_agreement(text.encode(), "sample.yaml", DICTIONARY, RULES)
    told = {int(problem.split(":")[1]): problem for problem in refused.value.problems}
    assert len(refused.value.problems) == len(told) == len(remedies) >= 20
    assert list(told) == list(remedies)
    for number, remedy in remedies.items():
        assert "expected " in told[number], told[number]
        assert ", got " in told[number]
        assert f", write {remedy}" in told[number], told[number]
